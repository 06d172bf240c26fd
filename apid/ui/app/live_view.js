// SPDX-License-Identifier: GPL-3.0-or-later
// What devices ask for, as it happens: allowed, blocked, not reviewed; what repeats is one row with a count.

import { code, el, fill, icon, name, onceAFrame, plain } from "./dom.js";
import { may } from "./api.js";
import { ago, bytes, clock, number, t } from "./text.js";
import { button, facts, mark, state } from "./ui.js";
import { open } from "./dialog.js";
import { toast } from "./toast.js";
import { onKey } from "./keys.js";
import { connect } from "./socket.js";
import { unblock } from "./unblock.js";

const KEPT = 2000, ROW = 44, EXTRA = 3, DRAW_MS = 300, TOGETHER = 400;
const VERDICTS = { allow: ["good", "check"], deny: ["bad", "block"], unknown: ["warn", "question"], failed: ["", "warning"] };
const narrow = matchMedia("(max-width: 720px)");

// Made once each: there are many of them a second.
const marks = new Map();
function verdictMark(verdict) {
	if (!marks.has(verdict)) marks.set(verdict, mark(t("verdict." + verdict), ...(VERDICTS[verdict] ?? ["", "question"])));
	return marks.get(verdict).cloneNode(true);
}

const verdictSign = verdict => el("span", { class: VERDICTS[verdict]?.[0], title: t("verdict." + verdict) }, icon(VERDICTS[verdict]?.[1] ?? "question"), el("span", { class: "sr" }, t("verdict." + verdict)));

/* Rows, newest first; the same of one device among the last ones is counted. */
class Rows {
	constructor() {
		this.list = [];
		this.byKey = new Map();
		this.total = 0;
	}

	add(event) {
		const key = `${event.device} ${event.host} ${event.path} ${event.verdict}`;
		const old = this.byKey.get(key);
		this.total++;
		if (old && this.total - old.seen < TOGETHER) {
			old.count++;
			old.last = event;
			old.seen = this.total;
			old.bytes += event.bytes ?? 0;
			return;
		}
		const row = { key, count: 1, last: event, first: event, seen: this.total, bytes: event.bytes ?? 0 };
		this.byKey.set(key, row);
		this.list.unshift(row);
		while (this.list.length > KEPT) {
			const gone = this.list.pop();
			if (this.byKey.get(gone.key) === gone) this.byKey.delete(gone.key);
		}
	}

	clear() {
		this.list = [];
		this.byKey.clear();
	}
}

function detail(row) {
	const e = row.last;
	open({
		title: e.host ? plain(e.host, 80) : t("live.nameless"),
		body: facts([
			[t("live.verdict"), verdictMark(e.verdict)],
			[t("column.device"), el("a", { href: `#/devices/${encodeURIComponent(e.device)}`, onclick: ev => ev.target.closest("dialog").close() }, name(e.name || e.device))],
			[t("live.at"), `${clock(e.at)} (${ago(e.at)})`], [t("live.path"), t("live.path." + e.path)],
			[t("live.rule"), e.rule && name(e.rule)], [t("explain.list"), e.list && code(e.list)], [t("field.type"), e.type && plain(e.type, 20)],
			[t("live.url"), e.url && code(e.url)], [t("live.method"), e.method && plain(e.method, 20)], [t("live.status"), e.status && String(e.status)],
			[t("live.bytes"), row.bytes ? bytes(row.bytes) : null], [t("live.ms"), e.ms !== undefined ? `${number(e.ms)} ms` : null], [t("live.count"), number(row.count)],
		]),
		foot: d => [
			e.host && button(t("explain.why"), { icon: "explain", onclick: () => { d.close(); location.hash = `/explain?device=${encodeURIComponent(e.device)}&url=${encodeURIComponent(e.url || e.host)}`; } }),
			e.host && e.verdict !== "allow" && may("helper") && button(t("override.new"), { icon: "clock", kind: "main", onclick: async () => { if (await unblock({ id: e.device }, e.host)) { d.close(); toast(t("override.made")); } } }),
		],
	});
}

/* A table that shows what comes. device: of this one only. */
export function liveView(page, { device = "", compact = false } = {}) {
	const rows = new Rows();
	const drawn = new Map();
	let isPaused = false, dropped = 0, isDirty = true, tell = null, unanswered = 0, at = 0, perSecond = 0;
	const filter = { host: "", verdict: "" };
	const lamp = el("span", { class: "mark", role: "status" }, t("live.connecting"));
	const rate = el("span", { class: "tally" });
	const body = el("div", { class: "t-body", role: "rowgroup" });
	const empty = el("div", {}, state({ icon: "live", title: t("live.empty"), text: t("live.empty.about") }));
	const scroll = el("div", { class: "table-scroll live-scroll", role: "table", "aria-label": t("live.title"), tabindex: "0" });
	const host = el("input", { class: "input", type: "search", placeholder: t("live.host"), "aria-label": t("live.host"), "data-search": true, oninput: () => { filter.host = host.value.trim().toLowerCase(); ask(); } });
	const verdict = el("select", { class: "input auto", "aria-label": t("live.verdict"), onchange: () => { filter.verdict = verdict.value; ask(); } },
		["", "allow", "deny", "unknown", "failed"].map(v => el("option", { value: v }, v ? t("verdict." + v) : t("live.any"))));
	const pauseButton = button(t("live.pause"), { icon: "pause", kind: "small", "aria-pressed": "false", onclick: () => setPaused(!isPaused) });
	const clearButton = button(t("live.clear"), { kind: "small quiet", onclick: () => { rows.clear(); isDirty = true; draw(); } });
	const columns = [["live.at", "70px"], ["live.verdict", narrow.matches ? "40px" : "132px"], ["live.site", "minmax(0, 2fr)"], ...(device ? [] : [["column.device", "minmax(0, 1fr)"]]), ["live.why", "minmax(0, 1.2fr)"], ["live.bytes", "74px"]];
	const shown = () => columns.filter(([key]) => !narrow.matches || !["live.why", "live.bytes", "live.at"].includes(key));
	const headRow = el("div", { class: "t-head", role: "row" });
	scroll.append(el("div", { class: "t-heads", role: "rowgroup" }, headRow), body);
	const node = el("div", { class: "panel flush table" }, el("div", { class: "table-tools" }, el("div", { class: "search" }, icon("search"), host), verdict, pauseButton, clearButton, lamp, rate), scroll, empty);

	function layout() {
		node.style.setProperty("--columns", shown().map(([key, w]) => (key === "live.verdict" ? (narrow.matches ? "30px" : "132px") : w)).join(" "));
		node.style.setProperty("--row", ROW + "px");
		fill(headRow, shown().map(([key]) => el("div", { role: "columnheader", class: key === "live.bytes" ? "right" : "" }, key === "live.verdict" && narrow.matches ? el("span", { class: "sr" }, t(key)) : t(key))));
		for (const line of drawn.values()) line.node.remove();
		drawn.clear();
		isDirty = true;
	}

	function setPaused(is) {
		isPaused = is;
		pauseButton.setAttribute("aria-pressed", String(is));
		pauseButton.replaceChildren(icon(is ? "play" : "pause"), t(is ? "live.go.on" : "live.pause"));
		isDirty = true;
	}

	function ask() {
		rows.clear();
		isDirty = true;
		unanswered++;
		tell?.({ type: "filter", ...(device ? { devices: [device] } : {}), ...(filter.host ? { host: filter.host } : {}), ...(filter.verdict ? { verdicts: [filter.verdict] } : {}) });
		draw();
	}

	/* A line of the table; row after row is shown in it. */
	function makeLine() {
		const line = { row: null, at: -1, seen: -1 }, count = el("span", { class: "times" });
		let pressed = null; // meant is what was there when the button went down
		const link = el("a", { class: "open", href: "#", onpointerdown: () => { pressed = line.row; }, onclick: ev => { ev.preventDefault(); detail(pressed ?? line.row); pressed = null; } });
		const cells = {
			"live.at": el("span", { class: "dim small" }), "live.verdict": el("span", {}), "live.site": [link, count],
			"column.device": el("span", {}), "live.why": el("span", { class: "dim" }), "live.bytes": el("span", {}),
		};
		line.node = el("div", { class: "t-row fresh", role: "row" }, shown().map(([key]) => el("div", { class: key === "live.bytes" ? "t-cell right" : "t-cell", role: "cell" }, cells[key])));
		line.show = row => {
			const e = row.last;
			if (line.row !== row) {
				cells["live.verdict"].replaceChildren(narrow.matches ? verdictSign(e.verdict) : verdictMark(e.verdict));
				link.replaceChildren(e.host ? code(e.host) : t("live.nameless"));
				cells["column.device"].replaceChildren(name(e.name || e.device));
				cells["live.why"].replaceChildren(e.rule ? name(e.rule) : t("live.path." + e.path));
			}
			line.row = row;
			line.seen = row.seen;
			count.textContent = row.count > 1 ? ` ×${number(row.count)}` : "";
			cells["live.at"].textContent = clock(e.at);
			cells["live.bytes"].textContent = row.bytes ? bytes(row.bytes) : "";
		};
		return line;
	}

	/* What is in sight: its heights are told by events, so that drawing reads nothing. */
	let top = 0, height = 0;
	const look = () => {
		top = scroll.scrollTop;
		height = scroll.clientHeight;
	};

	function draw() {
		if (!isDirty || document.hidden) return;
		isDirty = false;
		const list = rows.list;
		empty.hidden = list.length > 0;
		if (scroll.hidden && list.length) {
			scroll.hidden = false;
			look();
		}
		scroll.hidden = !list.length;
		const from = Math.max(0, Math.floor(Math.min(top, list.length * ROW - height) / ROW) - EXTRA), to = Math.min(list.length, Math.ceil((top + height) / ROW) + EXTRA);
		body.style.height = list.length * ROW + "px";
		scroll.setAttribute("aria-rowcount", list.length + 1);
		const wanted = new Set(list.slice(from, to)), free = [];
		for (const [row, line] of drawn) {
			if (wanted.has(row)) continue;
			const at = line.node.contains(document.activeElement) ? list.indexOf(row) : -1;
			if (at >= 0) {
				put(line, row, at);
			} else {
				drawn.delete(row);
				free.push(line);
			}
		}
		for (let i = from; i < to; i++) {
			const row = list[i], line = drawn.get(row) ?? free.pop() ?? makeLine();
			drawn.set(row, line);
			put(line, row, i);
		}
		for (const line of free) line.node.remove();
	}

	function put(line, row, at) {
		if (!line.node.isConnected) body.append(line.node);
		if (line.row !== row || line.seen !== row.seen) line.show(row);
		if (line.at === at) return;
		line.node.style.transform = `translateY(${at * ROW}px)`;
		line.node.setAttribute("aria-rowindex", at + 2);
		line.at = at;
	}

	const take = {
		rows(message) {
			perSecond += message.rows.length;
			if (isPaused || unanswered > 0) return; // what comes before the answer is of the filter before
			for (const event of message.rows) rows.add(event);
			isDirty = true;
		},
		dropped(message) { dropped = message.dropped; },
		filter() { unanswered--; },
		error(message) {
			unanswered--;
			toast(message.reason, { kind: "bad" });
		},
	};
	connect("/ws/live", {
		signal: page.signal,
		onmessage: message => take[message.type]?.(message),
		onopen: send => { tell = send; unanswered = 0; if (device || filter.host || filter.verdict) ask(); },
		onstate(now) {
			lamp.className = "mark " + (now === "open" ? "good" : "warn");
			lamp.textContent = t("live." + now);
		},
	});
	const timer = setInterval(draw, DRAW_MS), meter = setInterval(() => {
		at = perSecond;
		perSecond = 0;
		rate.textContent = [t("live.rate", { n: at }), dropped ? t("live.dropped", { n: dropped }) : ""].filter(Boolean).join(" · ");
	}, 1000);
	page.onleave(() => { clearInterval(timer); clearInterval(meter); });
	const drawSoon = onceAFrame(() => { isDirty = true; draw(); });
	scroll.addEventListener("scroll", () => { top = scroll.scrollTop; drawSoon(); }, { passive: true });
	new ResizeObserver(() => { look(); drawSoon(); }).observe(scroll);
	narrow.addEventListener("change", () => { layout(); draw(); });
	if (!compact) onKey("p", t("live.pause"), () => setPaused(!isPaused), page.signal);
	layout();
	scroll.hidden = true;
	return node;
}
