// SPDX-License-Identifier: GPL-3.0-or-later
// Who or what most: names, numbers, and a bar to each.

import { el } from "./dom.js";
import { number } from "./text.js";
import { state } from "./ui.js";

/* rows: [{label, value, note}], the most first. */
export function ranking(rows, empty, icon = "report") {
	if (!rows.length) return state({ icon, title: empty });
	const most = Math.max(...rows.map(r => r.value), 1);
	return el("ol", { class: "ranking" }, rows.map(r => {
		const bar = el("span", {});
		bar.style.width = `${(100 * r.value) / most}%`;
		return el("li", {}, el("div", { class: "row" }, el("span", { class: "grow ellipsis" }, r.label), el("span", {}, number(r.value)), r.note && el("span", { class: "dim small" }, r.note)), el("div", { class: "meter", "aria-hidden": "true" }, bar));
	}));
}
