// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Tables of any length: only rows in sight are in the document.
 *     const table = makeTable({label, columns, key: row => row.id, href: row => "#/…", empty});
 *     root.append(table.node); table.add(records); table.finish();
 * columns: [{title, width: "minmax(0, 2fr)", cell: row => node or text, sort: row => number or text,
 *   wide: true (not on phones), end: true}]. The first one is the row's name and, with href or open, its link.
 * text: row → what the search looks in. filters: [{label, choices: [[value, text]], test: (row, value)}].
 * acts: row → buttons, in actsWidth pixels. Sorting and searching are cut into pieces, so that nothing ever stands still.
 */

import { add, el, fill, icon, onceAFrame, pause } from "./dom.js";
import { number, t } from "./text.js";
import { ghost } from "./ui.js";

const EXTRA = 8, SHORT = 60, PIECE = 2000;
const narrow = matchMedia("(max-width: 720px)");

const compare = (a, b) => (a === b ? 0 : a === undefined || a === null ? 1 : b === undefined || b === null ? -1 : a < b ? -1 : 1);

/* Stable; gives the browser its turn between pieces. stop(): is it wanted no more? */
export async function sortPieces(rows, keyOf, direction, stop = () => false) {
	const keyed = rows.map((row, at) => [keyOf(row), at, row]);
	const order = (a, b) => direction * compare(a[0], b[0]) || a[1] - b[1];
	let runs = [];
	for (let at = 0; at < keyed.length; at += PIECE) {
		runs.push(keyed.slice(at, at + PIECE).sort(order));
		if (at) await pause();
		if (stop()) return null;
	}
	while (runs.length > 1) {
		const next = [];
		for (let at = 0; at < runs.length; at += 2) next.push(runs[at + 1] ? await merge(runs[at], runs[at + 1], order, stop) : runs[at]);
		if (stop()) return null;
		runs = next;
	}
	return (runs[0] ?? []).map(k => k[2]);
}

async function merge(a, b, order, stop) {
	const out = new Array(a.length + b.length);
	let i = 0, j = 0;
	for (let at = 0; at < out.length; at++) {
		out[at] = j >= b.length || (i < a.length && order(a[i], b[j]) <= 0) ? a[i++] : b[j++];
		if (at % (4 * PIECE) === 4 * PIECE - 1) {
			await pause();
			if (stop()) break;
		}
	}
	return out;
}

export function makeTable({ label, columns, key = row => row.id, href, text, filters = [], acts, actsWidth = 44, empty, rowHeight = 52, tools, search = true, sorted, onOpen }) {
	let rows = [], view = [], shown = columns, order = sorted ?? null, done = false, turn = 0, wanted = "", focusAt = -1;
	const chosen = new Map();
	const drawn = new Map();
	const tally = el("span", { class: "tally", role: "status" });
	const headRow = el("div", { class: "t-head", role: "row" });
	const body = el("div", { class: "t-body", role: "rowgroup" });
	const scroll = el("div", { class: "table-scroll", role: "table", "aria-label": label, tabindex: "0" }, el("div", { role: "rowgroup" }, headRow), body);
	const nothing = el("div", {});
	const box = search && el("input", { class: "input", type: "search", placeholder: t("search"), "aria-label": t("search.in", { what: label }), "data-search": true });
	const bar = el("div", { class: "table-tools" },
		box && el("div", { class: "search" }, icon("search"), box),
		filters.map(f => el("select", { class: "input", style: null, "aria-label": f.label, onchange: e => { chosen.set(f, e.target.value); refresh(); } },
			el("option", { value: "" }, f.label), f.choices.map(([v, l]) => el("option", { value: v }, l)))),
		tools, tally);
	for (const s of bar.querySelectorAll("select")) s.classList.add("auto");
	const node = el("div", { class: "panel flush table" }, bar, scroll, nothing);

	function layout() {
		shown = columns.filter(c => !(narrow.matches && c.wide));
		const widths = shown.map(c => c.width ?? "minmax(0, 1fr)");
		if (acts) widths.push(actsWidth + "px");
		node.style.setProperty("--columns", widths.join(" "));
		node.style.setProperty("--row", rowHeight + "px");
		fill(headRow, shown.map(headCell), acts && el("div", { role: "columnheader", class: "acts-head" }, el("span", { class: "sr" }, t("actions"))));
		redraw();
	}

	function headCell(column) {
		const is = order?.[0] === columns.indexOf(column) ? order[1] : 0;
		const cell = el("div", { role: "columnheader", class: column.end ? "right" : "", "aria-sort": is ? (is > 0 ? "ascending" : "descending") : null });
		if (!column.sort) return add(cell, column.title);
		return add(cell, el("button", { type: "button", onclick: () => { order = [columns.indexOf(column), is > 0 ? -1 : 1]; layout(); refresh(); } },
			column.title, is ? icon(is > 0 ? "up" : "down") : null));
	}

	function drawRow(at) {
		const row = view[at];
		const line = el("div", { class: "t-row", role: "row", "aria-rowindex": at + 2 });
		line.style.transform = `translateY(${at * rowHeight}px)`;
		shown.forEach((column, i) => {
			let content = column.cell(row);
			if (i === 0 && (href || onOpen)) content = el("a", { class: "open", href: href ? href(row) : "#", onclick: onOpen && (e => { e.preventDefault(); onOpen(row); }) }, content);
			line.append(add(el("div", { class: column.end ? "t-cell right" : "t-cell", role: "cell" }, content)));
		});
		if (acts) line.append(el("div", { class: "t-cell acts", role: "cell" }, acts(row)));
		return line;
	}

	const draw = onceAFrame(() => {
		const short = view.length <= SHORT;
		const top = short ? 0 : scroll.scrollTop, height = short ? Infinity : scroll.clientHeight;
		const from = Math.max(0, Math.floor(top / rowHeight) - EXTRA), to = Math.min(view.length, Math.ceil((top + height) / rowHeight) + EXTRA);
		for (const [at, line] of drawn)
			if ((at < from || at >= to) && at !== focusAt) {
				line.remove();
				drawn.delete(at);
			}
		for (let at = from; at < to; at++) {
			if (drawn.has(at)) continue;
			const line = drawRow(at);
			drawn.set(at, line);
			// In their order, for those who read without seeing.
			const next = [...drawn.keys()].filter(k => k > at).sort((a, b) => a - b)[0];
			body.insertBefore(line, next === undefined ? null : drawn.get(next));
		}
	});

	function redraw() {
		const held = focusAt >= 0 && view[focusAt] && body.contains(document.activeElement) ? key(view[focusAt]) : null;
		for (const line of drawn.values()) line.remove();
		drawn.clear();
		node.classList.toggle("short", view.length <= SHORT);
		if (view.length <= SHORT) scroll.removeAttribute("tabindex");
		else scroll.tabIndex = 0;
		scroll.setAttribute("aria-rowcount", view.length + 1);
		body.style.height = view.length * rowHeight + "px";
		tally.textContent = tallyText();
		scroll.hidden = !view.length;
		fill(nothing, !view.length && (done ? (rows.length ? t2() : empty?.()) : ghost()));
		bar.hidden = done && !rows.length && !tools;
		draw();
		if (held !== null) {
			const at = view.findIndex(r => key(r) === held);
			if (at >= 0) focusRow(at);
		}
	}
	const t2 = () => el("div", { class: "state" }, icon("search"), el("h2", {}, t("table.nothing")), el("p", {}, t("table.nothing.about")));

	function tallyText() {
		if (!rows.length) return "";
		const more = done ? "" : "…";
		return view.length === rows.length ? t("count.rows", { n: rows.length }) + more : t("table.of", { some: number(view.length), all: number(rows.length) }) + more;
	}

	async function refresh() {
		const mine = ++turn, stop = () => mine !== turn;
		const tests = filters.filter(f => chosen.get(f)).map(f => row => f.test(row, chosen.get(f)));
		if (wanted && text) tests.push(row => text(row).toLowerCase().includes(wanted));
		let found = rows;
		if (tests.length) {
			found = [];
			for (let at = 0; at < rows.length; at++) {
				if (at % (2 * PIECE) === 2 * PIECE - 1) await pause();
				if (stop()) return;
				if (tests.every(test => test(rows[at]))) found.push(rows[at]);
			}
		}
		if (order) found = await sortPieces(found, columns[order[0]].sort, order[1], stop);
		if (stop()) return;
		view = found === rows ? rows.slice() : found;
		focusAt = -1;
		redraw();
	}

	function focusRow(at) {
		focusAt = at;
		if (node.classList.contains("short")) {
			drawn.get(at)?.querySelector("a.open, button")?.focus();
			return;
		}
		const headHeight = headRow.offsetHeight, top = at * rowHeight;
		if (top < scroll.scrollTop) scroll.scrollTop = top;
		else if (top + rowHeight + headHeight > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + rowHeight + headHeight - scroll.clientHeight;
		draw();
		requestAnimationFrame(() => requestAnimationFrame(() => drawn.get(at)?.querySelector("a.open, button")?.focus({ preventScroll: true })));
	}

	const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
	body.addEventListener("keydown", event => {
		const step = STEPS[event.key];
		if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
		const at = [...drawn].find(([, line]) => line.contains(event.target))?.[0];
		if (at === undefined) return;
		event.preventDefault();
		focusRow(Math.max(0, Math.min(view.length - 1, at + step)));
	});
	body.addEventListener("focusin", event => { focusAt = [...drawn].find(([, line]) => line.contains(event.target))?.[0] ?? -1; });
	scroll.addEventListener("scroll", draw, { passive: true });
	new ResizeObserver(draw).observe(scroll);
	narrow.addEventListener("change", layout);
	if (box) {
		box.addEventListener("input", () => { wanted = box.value.trim().toLowerCase(); refresh(); });
		box.addEventListener("keydown", event => { if (event.key === "ArrowDown" && view.length) { event.preventDefault(); focusRow(0); } });
	}
	layout();

	return {
		node,
		get rows() { return rows; },
		/* More records, while they come. */
		add(more) {
			for (const row of more) rows.push(row);
			refresh();
		},
		set(all) {
			rows = all.slice();
			return refresh();
		},
		/* All are there. */
		finish() {
			done = true;
			return refresh();
		},
		/* One record anew, or a new one. */
		put(row) {
			const at = rows.findIndex(r => key(r) === key(row));
			if (at >= 0) rows[at] = row;
			else rows.push(row);
			return refresh();
		},
		remove(id) {
			rows = rows.filter(r => key(r) !== id);
			return refresh();
		},
		refresh,
		visible: () => view,
	};
}

/* A name and, below it, something smaller. */
export const two = (first, second) => el("span", { class: "two" }, el("span", {}, first), el("span", { class: "dim" }, second));
