// SPDX-License-Identifier: GPL-3.0-or-later
// Is it in force? After a change this asks how far the daemons are, until all that run have applied it.

import { el, icon } from "./dom.js";
import { get, on } from "./api.js";
import { placed } from "./daemons.js";
import { t } from "./text.js";

const ASK_MS = 700, LONG_MS = 30000, SHOWN_MS = 5000;

/* Daemons that run and have not confirmed all that was there at `since` (the gateway's clock). */
export function missing(health, since) {
	return [...new Set(health.daemons.filter(d => d.state === "running" && (d.lag.length || d.at < since)).map(placed))];
}

/* A mark at the edge of the page; it is there only while there is something to tell. */
export function forceMark() {
	const node = el("div", { class: "force", role: "status", "data-force": "" });
	let run = 0, hide;

	function show(state, text) {
		clearTimeout(hide);
		node.dataset.force = state;
		node.replaceChildren(el("a", { class: `mark signed ${state === "done" ? "good" : state === "late" ? "warn" : "accent"}`, href: "#/health" }, icon(state === "done" ? "check" : state === "late" ? "warning" : "sync"), text));
		if (state === "done") hide = setTimeout(() => { node.replaceChildren(); node.dataset.force = ""; }, SHOWN_MS);
	}

	async function watch() {
		const mine = ++run, began = Date.now();
		let since = null;
		show("waiting", t("force.waiting"));
		while (mine === run && Date.now() - began < LONG_MS) {
			try {
				const health = await get("/api/v1/health", { once: true, quiet: true });
				since ??= health.at;
				const left = missing(health, since);
				if (mine !== run) return;
				const dead = (health.gateways ?? []).filter(g => g.name && g.state === "missing").map(g => g.name);
				if (!left.length && dead.length) return show("late", t("force.dead", { who: dead.join(", ") }));
				if (!left.length) return show("done", t("force.done"));
				if (Date.now() - began > LONG_MS / 3) show("waiting", t("force.waits.for", { who: left.join(", ") }));
			} catch (error) {
				if (error.status === 403) return node.replaceChildren();
			}
			await new Promise(done => setTimeout(done, ASK_MS));
		}
		if (mine === run) show("late", t("force.late"));
	}
	on("change", path => { if (!path.startsWith("/api/v1/explain") && !path.startsWith("/api/v1/sync")) watch(); });
	return node;
}
