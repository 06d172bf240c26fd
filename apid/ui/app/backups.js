// SPDX-License-Identifier: GPL-3.0-or-later
// Backups: what became of the last one, those that there are, and a button that asks for one now.

import { code, el, fill, plain } from "./dom.js";
import { change, get } from "./api.js";
import { ago, bytes, t, time } from "./text.js";
import { button, facts, load, mark, note, panel, state } from "./ui.js";
import { makeTable, two } from "./table.js";
import { toast } from "./toast.js";

const PATH = "/api/v1/backups";
const WORKING_MS = 2000, RESTING_MS = 15000, UNHEARD_MS = 60000, OLD_MS = 2 * 86400000;
const MARKS = { never: ["warn", "question"], requested: ["accent", "clock"], running: ["accent", "sync"], done: ["good", "check"], failed: ["bad", "warning"] };
const isWorking = now => now.state === "requested" || now.state === "running";

/* What somebody should do about it. waits: since when the request was seen to wait. */
function advice(now, waits) {
	if (now.state === "failed") return note(el("div", { class: "stack tight" }, now.error && el("p", {}, t("backup.error", { why: plain(now.error, 400) })), el("p", {}, t("backup.failed.about"))), "bad");
	if (now.state === "requested" && waits && Date.now() - waits > UNHEARD_MS) return note(t("backup.unheard"), "warn");
	if (isWorking(now)) return null;
	if (!now.items.length) return note(t("backup.never.about"), "warn");
	if (Date.now() - now.items[0].at > OLD_MS) return note(t("backup.old"), "warn");
	return null;
}

function lastFacts(now, stands) {
	return facts([
		[t("column.state"), stands],
		[t("backup.started"), now.started_at && el("span", { title: time(now.started_at) }, ago(now.started_at))],
		[t("backup.ended"), now.ended_at && el("span", { title: time(now.ended_at) }, ago(now.ended_at))],
	]);
}

function files() {
	return makeTable({
		label: t("backup.files"), key: f => f.name, search: false, sorted: [0, -1],
		columns: [
			{ title: t("backup.made"), width: "minmax(0, 1.2fr)", sort: f => f.at, cell: f => two(time(f.at), ago(f.at)) },
			{ title: t("backup.file"), width: "minmax(0, 2fr)", wide: true, sort: f => f.name, cell: f => code(f.name) },
			{ title: t("backup.size"), width: "minmax(64px, .6fr)", end: true, sort: f => f.bytes, cell: f => bytes(f.bytes) },
		],
		empty: () => state({ icon: "download", title: t("backup.none"), text: t("backup.none.about") }),
	});
}

export function backupPanels(page) {
	const place = el("div", {}), last = el("div", {}), stands = el("span", { role: "status" }), advised = el("div", {}), table = files();
	let timer = null, waits = 0, drawn = "";
	const ask = button(t("backup.do"), { icon: "download", kind: "main", onclick: async () => {
		draw(await change("POST", PATH));
		toast(t("backup.asked"));
	} });

	function draw(now) {
		const shown = JSON.stringify(now.items);
		waits = now.state === "requested" ? waits || Date.now() : 0;
		// Told aloud when it changes, not each time it is looked at.
		if (stands.dataset.state !== now.state) fill(stands, mark(t("backup." + now.state), ...(MARKS[now.state] ?? [])));
		stands.dataset.state = now.state;
		fill(last, lastFacts(now, stands));
		fill(advised, advice(now, waits));
		// Not disabled: the focus would be lost.
		ask.setAttribute("aria-disabled", String(isWorking(now)));
		if (shown !== drawn) table.set(now.items);
		drawn = shown;
		table.finish();
		clearTimeout(timer);
		if (!page.signal.aborted) timer = setTimeout(look, isWorking(now) ? WORKING_MS : RESTING_MS);
	}

	async function look() {
		try {
			if (!document.hidden) return draw(await get(PATH, { once: true, signal: page.signal }));
		} catch (error) {
			if (error.name === "AbortError") return undefined;
		}
		timer = setTimeout(look, RESTING_MS);
		return undefined;
	}
	ask.addEventListener("click", event => { if (ask.getAttribute("aria-disabled") === "true") event.stopImmediatePropagation(); }, { capture: true });
	page.onleave(() => clearTimeout(timer));
	load(place, async () => draw(await get(PATH, { signal: page.signal })), () => el("div", { class: "stack" },
		panel({ title: t("backup.last"), actions: ask }, el("div", { class: "stack" }, last, advised)), table.node,
		el("p", { class: "dim" }, t("backup.where"))));
	return place;
}
