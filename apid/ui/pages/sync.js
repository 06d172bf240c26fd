// SPDX-License-Identifier: GPL-3.0-or-later
// What syncd does: lists, and the policy of a Directus.

import { code, el, fill, name, plain } from "../app/dom.js";
import { all, change, get } from "../app/api.js";
import { confirm } from "../app/dialog.js";
import { ago, number, t, time } from "../app/text.js";
import { button, facts, failed, ghost, head, panel, state } from "../app/ui.js";
import { alarmList, daemonMark } from "../app/daemons.js";
import { canSync, syncNow } from "./lists.js";

const ASK_MS = 3000;

/* A report's values, whatever they are; times as such. */
function shown(value, key) {
	if (value === null || value === undefined) return "–";
	if (typeof value === "boolean") return t(value ? "yes" : "no");
	if (typeof value === "number") return /_at$|^at$/.test(key) && value > 1e12 ? `${ago(value)} (${time(value)})` : number(value);
	if (typeof value === "object") return code(plain(JSON.stringify(value), 300));
	return name(value);
}

/* What syncd holds back, since a permission may hide it, until somebody says that it is gone. */
const heldIds = report => Object.entries(report?.directus?.collections ?? {}).filter(([, one]) => one?.held).map(([id]) => id);

function heldButtons(report, done) {
	return canSync() && heldIds(report).map(id => button(t("sync.confirm", { name: plain(id, 64) }), { kind: "small", onclick: async () => {
		if (!(await confirm({ title: t("sync.confirm", { name: plain(id, 64) }), text: t("sync.confirm.ask", { name: plain(id, 64) }), action: t("sync.confirm.do"), danger: true }))) return;
		await change("POST", "/api/v1/sync", { confirm: id });
		await done();
	} }));
}

export async function show(page) {
	const daemon = el("div", {}, ghost(3)), directus = el("div", {}, ghost(3)), held = el("div", { class: "row" }), lists = el("div", {}, ghost(3)), alarms = el("div", {});
	const alarmsPanel = panel({ title: t("health.alarms") }, alarms);
	const daemonPanel = panel({ title: "syncd" }, daemon);
	page.root.append(head({ title: t("sync.title"), about: t("sync.about"), actions: canSync() && button(t("sync.now"), { icon: "sync", kind: "main", onclick: () => syncNow() }) }),
		el("div", { class: "grid" }, daemonPanel, panel({ title: "Directus" }, el("div", { class: "stack" }, directus, held))), panel({ title: t("lists.title"), actions: button(t("overview.changes.all"), { kind: "small quiet", href: "#/lists" }) }, lists), alarmsPanel);
	alarmsPanel.hidden = true;

	async function refresh() {
		const [health, found] = await Promise.all([get("/api/v1/health", { signal: page.signal }), all("/api/v1/lists", { signal: page.signal })]);
		const d = health.daemons.find(x => x.daemon === "syncd"), report = health.reports?.find(r => r.daemon === "syncd");
		fill(daemon, facts([[t("column.state"), daemonMark(d)], [t("health.version"), d.version && code(d.version)], [t("health.heard"), d.at ? ago(d.at) : t("never")]]));
		const parts = Object.entries(report ?? {}).filter(([key]) => key.startsWith("directus"));
		fill(directus, parts.length ? facts(parts.flatMap(([key, value]) => (value && typeof value === "object" && !Array.isArray(value) ? Object.entries(value).map(([k, v]) => [plain(k.replace(/_/g, " "), 40), shown(v, k)]) : [[plain(key.replace(/_/g, " "), 40), shown(value, key)]]))) : el("p", { class: "dim" }, t("sync.no.directus")));
		// Buttons stay while they are the same ones: somebody may be about to press one.
		const ids = heldIds(report).join(" ");
		if (held.dataset.ids !== ids) fill(held, heldButtons(report, refresh));
		held.dataset.ids = ids;
		const wrong = found.filter(l => l.error);
		fill(lists, !found.length ? state({ icon: "lists", title: t("lists.empty"), text: t("lists.empty.about") }) : [
			el("p", {}, t("sync.lists", { n: found.length, entries: number(found.reduce((sum, l) => sum + (l.count ?? 0), 0)) })),
			wrong.length > 0 && el("ul", { class: "feed" }, wrong.map(l => el("li", {}, el("a", { href: `#/lists/${encodeURIComponent(l.id)}` }, name(l.title || l.id)), el("span", { class: "grow bad" }, name(l.error)), l.fetched_at && el("span", { class: "dim small" }, ago(l.fetched_at)))))]);
		const own = (health.alarms ?? []).filter(a => a.daemon === "syncd");
		alarmsPanel.hidden = !own.length;
		if (own.length) fill(alarms, alarmList(own));
	}
	try {
		await refresh();
	} catch (error) {
		if (error.name === "AbortError") return;
		fill(daemon, failed(error, page.again));
	}
	const timer = setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, ASK_MS);
	page.onleave(() => clearInterval(timer));
}
