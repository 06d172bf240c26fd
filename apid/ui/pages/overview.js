// SPDX-License-Identifier: GPL-3.0-or-later
import { el, fill, icon, name, plain } from "../app/dom.js";
import { get, may, me } from "../app/api.js";
import { ago, bytes, clock, number, t, time } from "../app/text.js";
import { button, head, load, mark, panel, state } from "../app/ui.js";
import { addDevice } from "../app/add_device.js";
import { timeChart } from "../app/chart.js";
import { alarmList, daemonMark, placed } from "../app/daemons.js";
import { connect } from "../app/socket.js";
import { actionText, actorText } from "./audit.js";

const KEPT_S = 120;

function tile(href, sign, label) {
	const figure = el("span", { class: "figure" }, "–"), sub = el("span", { class: "sub" }, " ");
	const node = el(href ? "a" : "div", { class: "panel tile", href }, el("span", { class: "label" }, icon(sign), label), figure, sub);
	return { node, set(value, text, tone = "") { figure.textContent = value; sub.textContent = text; sub.className = "sub " + tone; } };
}

/* Differences of the counters from one second to the next. */
class Rates {
	constructor() {
		this.rows = [];
		this.last = null;
	}

	add(s) {
		const now = { at: s.at, since: s.since, asked: s.dns.allowed + s.dns.blocked + s.web.allowed + s.web.blocked + s.web.unknown, blocked: s.dns.blocked + s.web.blocked + s.web.unknown, bytes: s.tunnel.rx_bytes + s.tunnel.tx_bytes };
		const last = this.last;
		this.last = now;
		// Counters begin anew when apid does.
		if (!last || last.since !== now.since || now.at <= last.at) return null;
		const seconds = (now.at - last.at) / 1000, per = key => Math.max(0, now[key] - last[key]) / seconds;
		this.rows.push({ at: now.at, asked: per("asked"), blocked: per("blocked"), bytes: per("bytes") });
		if (this.rows.length > KEPT_S) this.rows.shift();
		return this.rows.at(-1);
	}
}

function changesPanel(page) {
	const place = el("div", {});
	load(place, () => get("/api/v1/audit?limit=8", { signal: page.signal }), ({ items }) => (items.length
		? el("ul", { class: "feed" }, items.map(a => el("li", {}, el("span", { class: "grow ellipsis" }, name(actorText(a.actor)), " ", el("span", { class: "dim" }, actionText(a.action)), " ", name(a.subject ?? "")), el("span", { class: "dim small", title: time(a.at) }, ago(a.at)))))
		: state({ icon: "audit", title: t("overview.changes.none") })));
	return panel({ title: t("overview.changes"), actions: button(t("overview.changes.all"), { kind: "small quiet", href: "#/audit" }) }, place);
}

export async function show(page) {
	const add = async () => {
		const device = await addDevice();
		if (device) page.open(`/devices/${encodeURIComponent(device.id)}`);
	};
	const tiles = {
		devices: tile("#/devices", "devices", t("overview.devices")), asked: tile("#/live", "live", t("overview.asked")),
		blocked: tile("#/live", "block", t("overview.blocked")), traffic: tile(null, "down", t("overview.traffic")), appeals: tile("#/appeals", "appeals", t("nav.appeals")),
	};
	const daemons = el("ul", { class: "feed" }), alarms = el("div", {}), alarmsPanel = panel({ title: t("health.alarms"), actions: button(t("overview.changes.all"), { kind: "small quiet", href: "#/health" }) }, alarms);
	const chart = timeChart({
		series: [{ label: t("overview.asked"), tone: "--accent", fill: true }, { label: t("overview.blocked"), tone: "--bad-solid", fill: true }],
		format: n => number(Math.round(n * 10) / 10), signal: page.signal,
	});
	const lamp = mark(t("live.connecting"));
	const rates = new Rates();
	alarmsPanel.hidden = true;

	function take(s) {
		if (s.type !== "stats") return;
		const now = rates.add(s), asked = s.dns.allowed + s.dns.blocked + s.web.allowed + s.web.blocked + s.web.unknown, blocked = s.dns.blocked + s.web.blocked + s.web.unknown;
		tiles.devices.set(number(s.devices.online), t("overview.of", { n: s.devices.total }));
		tiles.asked.set(number(now ? Math.round(now.asked) : 0), t("overview.a.second"));
		tiles.blocked.set(asked ? `${number(Math.round((blocked * 1000) / asked) / 10)} %` : "0 %", t("overview.since", { n: blocked, when: ago(s.since) }));
		tiles.traffic.set(now ? bytes(now.bytes) + "/s" : "–", [t("overview.refused", { n: s.refused.packets }), s.connections && t("overview.connections", { n: s.connections.open + s.connections.in_path })].filter(Boolean).join(" · "));
		fill(daemons, s.daemons.map(d => el("li", {}, el("span", { class: "grow" }, plain(placed(d), 36), d.instance && d.instance !== "1" ? el("span", { class: "dim" }, " ", plain(d.instance, 16)) : null), daemonMark(d))));
		alarmsPanel.hidden = !s.alarms?.length;
		if (s.alarms?.length) fill(alarms, alarmList(s.alarms));
		const rows = rates.rows;
		if (!document.hidden && rows.length) chart.set(rows.map(r => clock(r.at)), [rows.map(r => r.asked), rows.map(r => r.blocked)], t("overview.chart", { asked: number(Math.round(rows.at(-1).asked)), blocked: number(Math.round(rows.at(-1).blocked)) }));
	}

	page.root.append(
		head({ title: t("overview.title"), about: t("overview.about"), actions: may("admin") && button(t("devices.new"), { icon: "plus", kind: "main", "data-new": true, onclick: add }) }),
		el("div", { class: "tiles" }, Object.values(tiles).map(x => x.node)),
		el("div", { class: "grid two" },
			el("div", { class: "stack" }, panel({ title: t("overview.now"), actions: lamp }, chart.node), may("admin") && !me().groups && changesPanel(page)),
			el("div", { class: "stack" }, panel({ title: t("health.daemons"), actions: button(t("nav.health"), { kind: "small quiet", href: "#/health" }) }, daemons), alarmsPanel)));
	connect("/ws/stats", {
		signal: page.signal, onmessage: take, onstate(now) {
			lamp.className = "mark " + (now === "open" ? "good" : "warn");
			lamp.textContent = t("live." + now);
		},
	});
	const counts = await get("/api/v1/appeal-counts", { signal: page.signal });
	tiles.appeals.set(number(counts.pending), t("overview.appeals", { n: counts.pending }), counts.pending ? "warn" : "");
}
