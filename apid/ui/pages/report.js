// SPDX-License-Identifier: GPL-3.0-or-later
// What was asked for over days: verdicts over time, and who, what and which list most.

import { code, el, fill, name } from "../app/dom.js";
import { get } from "../app/api.js";
import { bytes, clock, date, number, t } from "../app/text.js";
import { button, download, failed, ghost, head, panel } from "../app/ui.js";
import { ranking } from "../app/ranking.js";
import { timeChart } from "../app/chart.js";

const SPANS = { hour: 36e5, day: 864e5, week: 7 * 864e5, month: 30 * 864e5 };
const STEP_MS = { minute: 6e4, hour: 36e5, day: 864e5 };
const TOP = 20;

const asked = p => p.dns.allowed + p.dns.blocked + p.web.allowed + p.web.blocked + p.web.unknown;
const blocked = p => p.dns.blocked + p.web.blocked + p.web.unknown;

/* Every step of the time, also those without any. */
function dense({ from, to, step, items }) {
	const size = STEP_MS[step], byTime = new Map(items.map(p => [p.at, p])), out = [];
	for (let at = Math.floor(from / size) * size; at < to && out.length < 2000; at += size) out.push([at, byTime.get(at)]);
	return out;
}

function asCsv(rows) {
	const cell = value => (/[",\r\n]/.test(value) || /^[=+\-@\t]/.test(value) ? `"${(/^[=+\-@\t]/.test(value) ? "'" : "") + String(value).replace(/"/g, '""')}"` : value);
	return rows.map(r => r.map(v => cell(String(v ?? ""))).join(",")).join("\r\n") + "\r\n";
}

export async function show(page) {
	const span = Object.keys(SPANS).includes(page.args[0]) ? page.args[0] : "day";
	const device = page.query.get("device") ?? "";
	const totals = el("div", { class: "tiles" });
	const places = Object.fromEntries(["devices", "domains", "denied", "lists"].map(k => [k, el("div", {}, ghost(5))]));
	const verdicts = timeChart({
		kind: "bar", stacked: true, signal: page.signal, height: 260, format: number,
		series: [{ label: t("verdict.allow"), tone: "--accent" }, { label: t("verdict.deny"), tone: "--bad-solid" }, { label: t("verdict.unknown"), tone: "--warn" }],
	});
	const spans = el("div", { class: "segments", role: "group", "aria-label": t("report.span") }, Object.keys(SPANS).map(s => el("label", {}, el("input", { type: "radio", name: "span", value: s, checked: s === span, onchange: () => page.open(`/report/${s}${device ? "?device=" + encodeURIComponent(device) : ""}`) }), t("report.span." + s))));
	const to = Date.now(), from = to - SPANS[span];
	const query = `from=${from}&to=${to}${device ? "&device=" + encodeURIComponent(device) : ""}`;
	const read = (what, more = "") => get(`/api/v1/statistics/${what}?${query}${more}`, { signal: page.signal });
	let rows = [];
	page.root.append(
		head({
			title: t("report.title"), about: device ? el("span", {}, t("report.of"), " ", code(device), " ", el("a", { href: `#/report/${span}` }, t("report.all"))) : t("report.about"),
			actions: [spans, button(t("report.csv"), { icon: "download", onclick: () => download(`culvert-${span}.csv`, asCsv([["at", "dns_allowed", "dns_blocked", "web_allowed", "web_blocked", "web_unknown", "bytes"], ...rows]), "text/csv") })],
		}),
		totals, panel({ title: t("report.verdicts") }, verdicts.node),
		el("div", { class: "grid halves" },
			panel({ title: t("report.domains") }, places.domains), panel({ title: t("report.denied") }, places.denied),
			!device && panel({ title: t("report.devices") }, places.devices), panel({ title: t("report.lists") }, places.lists)));

	const tile = (label, figure, sub) => el("div", { class: "panel tile" }, el("span", { class: "label" }, label), el("span", { class: "figure" }, figure), el("span", { class: "sub" }, sub));
	async function drawVerdicts() {
		const found = await read("verdicts");
		const points = dense(found), sum = f => found.items.reduce((n, p) => n + f(p), 0);
		rows = found.items.map(p => [new Date(p.at).toISOString(), p.dns.allowed, p.dns.blocked, p.web.allowed, p.web.blocked, p.web.unknown, p.web.bytes]);
		const all = sum(asked), no = sum(blocked);
		fill(totals, tile(t("report.asked"), number(all), " "), tile(t("report.blocked"), number(no), all ? `${number(Math.round((no * 1000) / all) / 10)} %` : " "), tile(t("report.bytes"), bytes(sum(p => p.web.bytes)), t("report.by.proxy")), tile(t("report.refused"), number(sum(p => p.refused.packets)), t("report.packets")));
		const text = found.step === "day" ? date : at => (span === "week" ? `${date(at)} ${clock(at).slice(0, 5)}` : clock(at).slice(0, 5));
		verdicts.set(points.map(([at]) => text(at)), [
			points.map(([, p]) => (p ? p.dns.allowed + p.web.allowed : 0)), points.map(([, p]) => (p ? p.dns.blocked + p.web.blocked : 0)), points.map(([, p]) => (p ? p.web.unknown : 0)),
		], t("report.chart", { asked: number(all), blocked: number(no) }));
	}
	const domainRows = ({ items }) => items.map(d => ({ label: code(d.domain), value: d.hits, note: d.bytes ? bytes(d.bytes) : "" }));
	const parts = [
		[drawVerdicts, totals],
		[async () => fill(places.domains, ranking(domainRows(await read("domains", `&limit=${TOP}&verdict=allow`)), t("report.none"))), places.domains],
		[async () => fill(places.denied, ranking(domainRows(await read("domains", `&limit=${TOP}&verdict=deny`)), t("report.none"))), places.denied],
		[async () => fill(places.lists, ranking((await read("lists")).items.slice(0, TOP).map(l => ({ label: el("a", { href: `#/lists/${encodeURIComponent(l.list)}` }, name(l.title || l.list)), value: l.hits })), t("report.none"))), places.lists],
		!device && [async () => fill(places.devices, ranking((await read("devices", `&limit=${TOP}`)).items.map(d => ({ label: el("a", { href: `#/report/${span}?device=${encodeURIComponent(d.device)}` }, name(d.name || d.device)), value: asked(d), note: t("report.of.blocked", { n: blocked(d) }) })), t("report.none"))), places.devices],
	].filter(Boolean);
	await Promise.all(parts.map(async ([work, place]) => {
		try {
			await work();
		} catch (error) {
			if (error.name === "AbortError") return;
			fill(place, failed(error, page.again));
			if (error.status === undefined) console.error(error);
		}
	}));
}

