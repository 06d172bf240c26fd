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

// Rows beyond the edges, and how many of those are made in one frame: a jump costs no more than what is seen.
const EXTRA = 8, EXTRA_A_FRAME = 3, SHORT = 60, PIECE = 2000;
const narrow = matchMedia("(max-width: 720px)");

const compare = (a, b) => (a === b ? 0 : a === undefined || a === null ? 1 : b === undefined || b === null ? -1 : a < b ? -1 : 1);

/* Stable; gives the browser its turn between pieces. stop(): is it wanted no more? */
export async function sortPieces(rows, keyOf, direction, stop = () => false) {
	const keyed = [];
	for (const row of rows) {
		keyed.push([keyOf(row), keyed.length, row]);
		if (keyed.length % PIECE === 0) await pause();
		if (stop()) return null;
	}
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
	// Of what is in sight, as events tell: to read it while drawing would make the browser lay out again.
	let top = 0, height = 0, growing = null, grown = false;
	const chosen = new Map();
	const drawn = new Map();
	const tally = el("span", { class: "tally", role: "status" });
	const headRow = el("div", { class: "t-head", role: "row" });
	const body = el("div", { class: "t-body", role: "rowgroup" });
	const scroll = el("div", { class: "table-scroll", role: "table", "aria-label": label, tabindex: "0" }, el("div", { class: "t-heads", role: "rowgroup" }, headRow), body);
	const nothing = el("div", {});
	const box = search && el("input", { class: "input", type: "search", placeholder: t("search"), "aria-label": t("search.in", { what: label }), "data-search": true });
	const bar = el("div", { class: "table-tools" },
		box && el("div", { class: "search" }, icon("search"), box),
		filters.map(f => el("select", { class: "input", style: null, "aria-label": f.label, onchange: e => { chosen.set(f, e.target.value); anew(); } },
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
		redraw(true);
	}

	function headCell(column) {
		const is = order?.[0] === columns.indexOf(column) ? order[1] : 0;
		const cell = el("div", { role: "columnheader", class: column.end ? "right" : "", "aria-sort": is ? (is > 0 ? "ascending" : "descending") : null });
		if (!column.sort) return add(cell, column.title);
		return add(cell, el("button", { type: "button", onclick: () => { order = [columns.indexOf(column), is > 0 ? -1 : 1]; layout(); anew(); headRow.children[shown.indexOf(column)].firstChild.focus(); } },
			column.title, is ? icon(is > 0 ? "up" : "down") : null));
	}

	function drawRow(at) {
		const row = view[at];
		const line = el("div", { class: "t-row", role: "row", "aria-rowindex": at + 2 });
		line.row = row;
		line.style.transform = `translateY(${at * rowHeight}px)`;
		shown.forEach((column, i) => {
			let content = column.cell(row);
			if (i === 0 && (href || onOpen)) content = el("a", { class: "open", href: href ? href(row) : "#", onclick: onOpen && (e => { e.preventDefault(); onOpen(row); }) }, content);
			line.append(add(el("div", { class: column.end ? "t-cell right" : "t-cell", role: "cell" }, content)));
		});
		if (acts) line.append(el("div", { class: "t-cell acts", role: "cell" }, acts(row)));
		return line;
	}

	function place(at, high) {
		if (drawn.has(at)) return false;
		const line = drawRow(at);
		// In their order, for those who read without seeing.
		let next = at + 1;
		while (next < high && !drawn.has(next)) next++;
		body.insertBefore(line, drawn.get(next) ?? (focusAt > at ? drawn.get(focusAt) : null) ?? null);
		drawn.set(at, line);
		return true;
	}

	const draw = onceAFrame(() => {
		const short = view.length <= SHORT, start = Math.min(top, Math.max(0, view.length * rowHeight - height));
		const from = short ? 0 : Math.floor(start / rowHeight), to = short ? view.length : Math.min(view.length, Math.ceil((start + height) / rowHeight));
		const low = Math.max(0, from - EXTRA), high = Math.min(view.length, to + EXTRA);
		for (const [at, line] of drawn)
			if ((at < low || at >= high) && at !== focusAt) {
				line.remove();
				drawn.delete(at);
			}
		for (let at = from; at < to; at++) place(at, high);
		let left = EXTRA_A_FRAME;
		for (let by = 0; by < EXTRA && left > 0; by++) {
			if (to + by < high && place(to + by, high)) left--;
			if (from - 1 - by >= low && place(from - 1 - by, high)) left--;
		}
		if (left <= 0) draw();
	});

	/* Lines of rows that are where they were stay; the focus goes with its row, or to what is now in its place. */
	function redraw(isAnew) {
		const held = [...drawn].find(([, line]) => line.contains(document.activeElement));
		for (const [at, line] of drawn)
			if (isAnew || line.row !== view[at]) {
				line.remove();
				drawn.delete(at);
			}
		focusAt = held && drawn.has(held[0]) ? held[0] : -1;
		measure();
		if (!held || focusAt >= 0 || !view.length) return;
		const at = view.findIndex(r => key(r) === key(held[1].row));
		focusRow(at >= 0 ? at : Math.min(held[0], view.length - 1));
	}

	/* How much there is, and what stands where there is nothing. */
	function measure() {
		node.classList.toggle("short", view.length <= SHORT);
		if (view.length <= SHORT) scroll.removeAttribute("tabindex");
		else scroll.tabIndex = 0;
		scroll.setAttribute("aria-rowcount", view.length + 1);
		body.style.height = view.length * rowHeight + "px";
		tally.textContent = tallyText();
		scroll.hidden = !view.length;
		if (view.length) nothing.replaceChildren();
		else fill(nothing, done ? (rows.length ? t2() : empty?.()) : ghost());
		bar.hidden = done && !rows.length && !tools;
		draw();
	}
	const t2 = () => el("div", { class: "state" }, icon("search"), el("h2", {}, t("table.nothing")), el("p", {}, t("table.nothing.about")));

	function tallyText() {
		if (!rows.length) return "";
		const more = done ? "" : "…";
		return view.length === rows.length ? t("count.rows", { n: rows.length }) + more : t("table.of", { some: number(view.length), all: number(rows.length) }) + more;
	}

	function chosenTests() {
		const tests = filters.filter(f => chosen.get(f)).map(f => row => f.test(row, chosen.get(f)));
		if (wanted && text) tests.push(row => text(row).toLowerCase().includes(wanted));
		return tests;
	}

	/* isAnew: what rows say may have changed, though they are the same. */
	async function refresh(isAnew) {
		const mine = ++turn, stop = () => mine !== turn;
		const tests = chosenTests();
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
		redraw(isAnew);
	}

	/* Somebody wants something else of it: that begins at the top. */
	function anew() {
		scroll.scrollTop = top = 0;
		refresh();
	}

	/* While records come: what is sorted or searched is so again as often as there is time for it. */
	async function grow(more) {
		for (const row of more) rows.push(row);
		if (!order && !chosenTests().length && !growing) {
			for (const row of more) view.push(row);
			return measure();
		}
		grown = true;
		growing ??= (async () => {
			while (grown) {
				grown = false;
				await refresh();
			}
			growing = null;
		})();
	}

	function focusRow(at) {
		focusAt = at;
		const focus = options => drawn.get(at)?.querySelector("a.open, button")?.focus(options);
		if (node.classList.contains("short")) {
			if (drawn.has(at)) focus();
			else requestAnimationFrame(() => requestAnimationFrame(() => focus()));
			return;
		}
		const headHeight = headRow.offsetHeight, begin = at * rowHeight;
		if (begin < scroll.scrollTop) scroll.scrollTop = begin;
		else if (begin + rowHeight + headHeight > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = begin + rowHeight + headHeight - scroll.clientHeight;
		look();
		draw();
		requestAnimationFrame(() => requestAnimationFrame(() => focus({ preventScroll: true })));
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
	const look = () => {
		top = scroll.scrollTop;
		height = scroll.clientHeight;
	};
	scroll.addEventListener("scroll", () => { top = scroll.scrollTop; draw(); }, { passive: true });
	new ResizeObserver(() => { look(); draw(); }).observe(scroll);
	narrow.addEventListener("change", layout);
	if (box) {
		box.addEventListener("input", () => { wanted = box.value.trim().toLowerCase(); anew(); });
		box.addEventListener("keydown", event => { if (event.key === "ArrowDown" && view.length) { event.preventDefault(); focusRow(0); } });
	}
	layout();

	return {
		node,
		get rows() { return rows; },
		/* More records, while they come. */
		add: grow,
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
		refresh: () => refresh(true),
		visible: () => view,
	};
}

/* A name and, below it, something smaller. */
export const two = (first, second) => el("span", { class: "two" }, el("span", {}, first), el("span", { class: "dim" }, second));
