// SPDX-License-Identifier: GPL-3.0-or-later
import { name } from "../app/dom.js";
import { t } from "../app/text.js";
import { recordTabs } from "../app/records.js";
import { choiceText } from "../app/form.js";

const term = { title: t("field.term"), width: "minmax(0, 2fr)", sort: w => w.term.toLowerCase(), cell: w => name(w.term) };

export const show = page => recordTabs(page, "words", [
	{
		scope: "masked", path: "/api/v1/words", title: w => w.term, bulk: true, sorted: [0, 1], rowHeight: 46,
		columns: [term, { title: t("field.match"), width: "minmax(112px, 1fr)", sort: w => w.match ?? "exact", cell: w => choiceText("masked", "match", w.match ?? "exact") }],
		fields: [
			{ name: "term", kind: "text", required: true, max: 256 },
			{ name: "match", kind: "segments", choices: ["exact", "contains"], initial: "exact" },
		],
	},
	{
		scope: "searched", path: "/api/v1/search-words", title: w => w.term, bulk: true, sorted: [0, 1], rowHeight: 46,
		columns: [term], fields: [{ name: "term", kind: "text", required: true, max: 256 }],
	},
]);
