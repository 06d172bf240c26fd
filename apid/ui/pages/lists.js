// SPDX-License-Identifier: GPL-3.0-or-later
import { code, el, name } from "../app/dom.js";
import { t } from "../app/text.js";
import { mark } from "../app/ui.js";
import { records } from "../app/records.js";
import { two } from "../app/table.js";

export const sourceFields = list => [
	{ name: "title", kind: "text", max: 256 },
	!list && { name: "id", kind: "text", max: 64 },
	{ name: "source", kind: "text", required: true, max: 2048, placeholder: "https://lists.example/ads.txt" },
	{ name: "default_on", kind: "switch", initial: true },
	{ name: "subtree", kind: "switch" },
	{ kind: "group", more: true, title: t("more"), fields: [
		{ name: "kind", kind: "choice", choices: ["adblock", "general", "maps", "gifs", "app_urls"] },
		{ name: "refresh_s", kind: "number", min: 0, placeholder: "86400" },
		{ name: "by_address", kind: "switch", off: "absent" },
		{ name: "strict_address", kind: "switch", off: "absent" },
		{ name: "https_paths_skip", kind: "switch", off: "absent" },
	] },
];

export const show = page => records(page, {
	scope: "lists", path: "/api/v1/list-sources", slug: "title", title: l => l.title || l.id, rowHeight: 58,
	columns: [
		{ title: t("field.title"), width: "minmax(0, 1.6fr)", sort: l => (l.title || l.id).toLowerCase(), cell: l => two(name(l.title || l.id), code(l.id)) },
		{ title: t("lists.usual"), width: "minmax(90px, .6fr)", sort: l => String(l.default_on), cell: l => (l.default_on === false ? mark(t("lists.off")) : mark(t("lists.on"), "good")) },
		{ title: t("field.source"), width: "minmax(0, 2.2fr)", wide: true, sort: l => l.source, cell: l => code(l.source) },
	],
	fields: sourceFields,
});
