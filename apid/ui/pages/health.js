// SPDX-License-Identifier: GPL-3.0-or-later
import { code, el, fill, plain } from "../app/dom.js";
import { get } from "../app/api.js";
import { ago, number, t } from "../app/text.js";
import { facts, failed, ghost, head, mark, note, panel, state } from "../app/ui.js";
import { alarmList, daemonMark, placed, uptime } from "../app/daemons.js";

const ASK_MS = 3000;

function daemonPanel(d, report) {
	const shown = d.instance && d.instance !== "1" ? `${placed(d)} · ${d.instance}` : placed(d);
	return panel({ title: plain(shown, 60), actions: daemonMark(d) }, el("div", { class: "stack tight" },
		el("p", { class: "dim" }, t("health.what." + d.daemon)),
		d.at ? facts([
			[t("health.version"), code(d.version)], [t("health.uptime"), uptime(d.uptime_s)], [t("health.heard"), ago(d.at)],
			...d.lag.map(l => [code(l.topic), t("health.lag", { applied: number(l.applied), gen: number(l.gen) })]),
		]) : el("p", {}, t("health.never")),
		report && el("details", {}, el("summary", { class: "small" }, t("health.report")), el("pre", { class: "secret", tabindex: "0", "aria-label": t("health.report") }, JSON.stringify(report, null, 1)))));
}

/* Only where there are several. */
function gatewayPanel(gateways) {
	if (gateways.every(g => !g.name)) return [];
	const marks = { ok: "good", degraded: "warn", missing: "bad" };
	return panel({ title: t("health.gateways") }, facts(gateways.map(g => [plain(g.name || t("health.gateway.first"), 32),
		el("span", {}, mark(t("health.gateway." + g.state), marks[g.state]), " ", g.tunnels.map(x => code(x)))])));
}

export async function show(page) {
	const summary = el("div", {}), places = el("div", {}), grid = el("div", { class: "grid" }), alarms = el("div", {}, ghost(2));
	page.root.append(head({ title: t("health.title"), about: t("health.about") }), summary, places, grid, panel({ title: t("health.alarms") }, alarms));
	let shown = "";
	async function refresh() {
		const health = await get("/api/v1/health", { signal: page.signal, once: shown !== "" });
		// What people have opened stays open: only what changed is drawn anew.
		const now = JSON.stringify([health.status, health.daemons.map(d => [d.daemon, d.gateway, d.instance, d.state, d.lag]), health.gateways, health.alarms]);
		if (now === shown) return;
		shown = now;
		fill(summary, health.status === "ok" ? note(t("health.ok"), "", "check") : note([!health.database && el("p", {}, t("health.database")), el("p", {}, t("health.degraded"))], "warn"));
		fill(places, gatewayPanel(health.gateways ?? []));
		fill(grid, health.daemons.map(d => daemonPanel(d, health.reports?.find(r => r.daemon === d.daemon && (r.gateway ?? "") === (d.gateway ?? "") && r.instance === d.instance))));
		if (health.alarms) fill(alarms, health.alarms.length ? alarmList(health.alarms) : state({ icon: "health", title: t("health.alarms.none") }));
		else fill(alarms, el("p", { class: "dim" }, t("health.alarms.whole")));
	}
	try {
		await refresh();
	} catch (error) {
		if (error.name === "AbortError") return;
		fill(grid, failed(error, page.again));
	}
	const timer = setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, ASK_MS);
	page.onleave(() => clearInterval(timer));
}

