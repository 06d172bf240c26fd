// SPDX-License-Identifier: GPL-3.0-or-later
import { code, el, name } from "../app/dom.js";
import { ago, number, t } from "../app/text.js";
import { mark } from "../app/ui.js";
import { recordTabs } from "../app/records.js";
import { choiceText } from "../app/form.js";
import { scopeField } from "../app/targets.js";

const MATCHES = ["endswith", "exact", "startswith", "contains", "wildcard"];

export const show = page => recordTabs(page, "dns", [
	{
		scope: "dns_rules", path: "/api/v1/dns-rules", title: r => r.pattern, bulk: true, sorted: [0, 1],
		columns: [
			{ title: t("field.pattern"), width: "minmax(0, 2fr)", sort: r => r.pattern, cell: r => code(r.pattern) },
			{ title: t("field.action"), width: "minmax(100px, .7fr)", sort: r => r.action, cell: r => (r.answer ? mark(t("dns.answer"), "accent") : r.action === "allow" ? mark(t("verdict.allow"), "good") : mark(t("verdict.deny"), "bad")) },
			{ title: t("field.match"), width: "minmax(110px, 1.3fr)", wide: true, cell: r => choiceText("", "match", r.match ?? "exact") },
			{ title: t("field.scope"), wide: true, sort: r => r.scope, cell: r => (r.scope ? name(r.scope) : t("scope.all")) },
			{ title: t("field.until"), wide: true, sort: r => r.until, cell: r => (r.until ? ago(r.until) : t("until.ever")) },
		],
		fields: [
			{ name: "pattern", kind: "text", required: true, max: 253, placeholder: "example.org" },
			{ name: "match", kind: "choice", required: true, choices: MATCHES },
			{ name: "action", kind: "segments", choices: ["block", "allow"], initial: "block" },
			scopeField(),
			{ kind: "group", more: true, title: t("more"), fields: [{ name: "answer", kind: "text", max: 253 }, { name: "until", kind: "when" }] },
		],
	},
	{
		scope: "dns_records", path: "/api/v1/dns-records", title: r => r.name, bulk: true, sorted: [0, 1],
		columns: [
			{ title: t("field.name"), width: "minmax(0, 1.6fr)", sort: r => r.name, cell: r => code(r.name) },
			{ title: t("field.type"), width: "70px", sort: r => r.type, cell: r => r.type },
			{ title: t("field.value"), width: "minmax(0, 1.6fr)", sort: r => r.value, cell: r => code(r.value) },
			{ title: t("field.ttl"), width: "80px", wide: true, end: true, cell: r => (r.ttl ? number(r.ttl) : el("span", { class: "dim" }, "–")) },
		],
		fields: [
			{ name: "name", kind: "text", required: true, max: 253, placeholder: "nas.home" },
			{ name: "type", kind: "choice", required: true, choices: ["A", "AAAA", "CNAME", "TXT", "MX", "SRV", "PTR"].map(v => [v, v]) },
			{ name: "value", kind: "text", required: true, max: 512, placeholder: "10.77.0.5" },
			{ name: "ttl", kind: "number", min: 0 },
		],
	},
]);
