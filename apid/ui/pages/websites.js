// SPDX-License-Identifier: GPL-3.0-or-later
import { code, el, name, plain } from "../app/dom.js";
import { all } from "../app/api.js";
import { ago, number, t } from "../app/text.js";
import { button, mark } from "../app/ui.js";
import { nameColumn, recordTabs } from "../app/records.js";
import { choiceText } from "../app/form.js";
import { targetFields } from "../app/targets.js";

const MATCHES = ["endswith", "exact", "startswith", "contains", "wildcard"];
const STATUS = { approved: "good", pending: "warn", rejected: "bad" };
const show_ = ["images", "words"].map(n => ({ name: n, kind: "choice", inherit: true, choices: ["hide", "show"] }));
const who = o => (o.device ? name(o.device) : o.group ? name(o.group) : t("scope.all"));

const domains = (scope, path) => ({
	scope, path, title: d => d.domain, bulk: true, sorted: [0, 1],
	columns: [
		{ title: t("field.domain"), width: "minmax(0, 2fr)", sort: d => d.domain, cell: d => code(d.domain) },
		{ title: t("field.note"), width: "minmax(0, 2fr)", wide: true, sort: d => d.note, cell: d => (d.note ? name(d.note) : el("span", { class: "dim" }, "–")) },
	],
	fields: [{ name: "domain", kind: "text", required: true, max: 253, placeholder: "example.org" }, { name: "note", kind: "text", max: 512 }],
});

export async function show(page) {
	const tab = page.args[0] ?? "";
	const categories = new Map(tab === "" ? (await all("/api/v1/categories", { signal: page.signal })).map(c => [c.id, plain(c.name || c.id, 60)]) : []);
	return recordTabs(page, "websites", [
		{
			scope: "sites", path: "/api/v1/websites", bulk: true, title: w => w.pattern, sorted: [0, 1],
			actions: [button(t("sites.test"), { icon: "explain", href: "#/explain" })],
			columns: [
				{ title: t("field.pattern"), width: "minmax(0, 2.4fr)", sort: w => w.pattern, cell: w => code(w.pattern) },
				{ title: t("field.category"), sort: w => (categories.get(w.category) ?? w.category).toLowerCase(), cell: w => name(categories.get(w.category) ?? w.category) },
				{ title: t("field.status"), width: "minmax(110px, .7fr)", wide: true, sort: w => w.status, cell: w => mark(choiceText("", "status", w.status ?? "pending"), STATUS[w.status ?? "pending"]) },
				{ title: t("field.match"), width: "minmax(110px, 1.2fr)", wide: true, cell: w => choiceText("", "match", w.match ?? "exact") },
			],
			filters: [{ label: t("sites.any"), choices: [...categories], test: (w, v) => w.category === v }],
			fields: [
				{ name: "pattern", kind: "text", required: true, max: 2048, placeholder: "example.org" },
				{ name: "match", kind: "choice", required: true, choices: MATCHES },
				{ name: "category", kind: "pick", of: "/api/v1/categories", required: true },
				{ name: "status", kind: "segments", choices: ["approved", "pending", "rejected"], initial: "approved" },
				{ kind: "group", more: true, title: t("more"), fields: [...show_, { name: "needs", kind: "texts", rows: 3 }] },
			],
		},
		{
			scope: "categories", path: "/api/v1/categories", slug: "name", undo: false,
			columns: [
				nameColumn(),
				{ title: t("field.default"), width: "minmax(100px, .8fr)", sort: c => c.default, cell: c => (c.default === "block" ? mark(t("verdict.deny"), "bad") : mark(t("verdict.allow"), "good")) },
				{ title: t("field.visibility"), wide: true, sort: c => c.visibility, cell: c => choiceText("categories", "visibility", c.visibility ?? "public") },
				{ title: t("field.sort_order"), width: "80px", wide: true, end: true, sort: c => c.sort_order, cell: c => number(c.sort_order) },
			],
			fields: category => [
				{ name: "name", kind: "text", required: true, max: 256 },
				!category && { name: "id", kind: "text", max: 64 },
				{ name: "default", kind: "segments", choices: ["allow", "block"], initial: "allow" },
				{ name: "visibility", kind: "choice", required: true, choices: ["public", "more", "report", "extreme", "security"] },
				{ name: "no_decrypt", kind: "switch", off: "absent" },
				{ kind: "group", more: true, title: t("more"), fields: [{ name: "images", kind: "choice", inherit: true, choices: ["hide", "show"] }, { name: "sort_order", kind: "number" }] },
			],
		},
		{
			scope: "overrides", path: "/api/v1/site-overrides", title: o => o.pattern, role: "helper", sorted: [0, 1],
			columns: [
				{ title: t("field.pattern"), width: "minmax(0, 2fr)", sort: o => o.pattern, cell: o => code(o.pattern) },
				{ title: t("field.action"), width: "minmax(100px, .7fr)", sort: o => o.action, cell: o => (o.action === "allow" ? mark(t("verdict.allow"), "good") : mark(t("verdict.deny"), "bad")) },
				{ title: t("field.scope"), wide: true, sort: o => o.device ?? o.group, cell: who },
				{ title: t("field.until"), wide: true, sort: o => o.until, cell: o => (o.until ? ago(o.until) : t("until.ever")) },
			],
			fields: [
				{ name: "pattern", kind: "text", required: true, max: 2048, placeholder: "example.org" },
				{ name: "match", kind: "choice", required: true, choices: MATCHES },
				{ name: "action", kind: "segments", choices: ["allow", "block"], initial: "allow" },
				...targetFields(),
				{ name: "until", kind: "when" },
				{ kind: "group", more: true, title: t("more"), fields: show_ },
			],
		},
		domains("sni_block", "/api/v1/sni-block"),
		domains("mitm_ignore", "/api/v1/mitm-ignore"),
		domains("image_ignore", "/api/v1/image-ignore"),
		{
			scope: "pinned", path: "/api/v1/pinned", title: p => p.name, undo: false, role: "helper", sorted: [0, 1],
			columns: [
				{ title: t("field.domain"), width: "minmax(0, 2fr)", sort: p => p.name, cell: p => code(p.name) },
				{ title: t("column.device"), sort: p => p.device, cell: p => name(p.device) },
				{ title: t("field.until"), wide: true, sort: p => p.until, cell: p => ago(p.until) },
			],
		},
	]);
}
