// SPDX-License-Identifier: GPL-3.0-or-later
// How the daemons are, as /ws/stats and /api/v1/health tell it.

import { el, name, plain } from "./dom.js";
import { ago, number, t, time } from "./text.js";
import { mark } from "./ui.js";

/* The daemon, and where there are several gateways the one that it is of. */
export function placed(d) {
	return d.gateway ? `${d.daemon} · ${d.gateway}` : d.daemon;
}

/* good: it runs and has applied everything. */
export function daemonMark(d) {
	if (d.state !== "running") return mark(d.at ? t("daemon.silent") : t("daemon.missing"), "bad", "block");
	if (d.lag.length) return mark(t("daemon.behind", { n: d.lag.length }), "warn", "clock");
	return mark(t("daemon.good"), "good", "check");
}

export function uptime(seconds) {
	const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
	const [unit, size] = units.find(([, s]) => seconds >= s) ?? units[3];
	return t("uptime." + unit, { n: Math.floor(seconds / size) });
}

/* What was wrong, newest first. */
export function alarmList(alarms) {
	return el("ul", { class: "feed" }, alarms.map(a => el("li", {},
		mark(plain(placed(a), 36), "warn", "warning"),
		el("span", { class: "grow" }, name(a.detail || a.what, { class: "wrap" })),
		a.count > 1 && el("span", { class: "times" }, `×${number(a.count)}`),
		el("span", { class: "dim small", title: time(a.at) }, ago(a.at)))));
}
