// SPDX-License-Identifier: GPL-3.0-or-later
import { el, fill, icon, name } from "../app/dom.js";
import { all, get, may } from "../app/api.js";
import { ago, number, t, time } from "../app/text.js";
import { button, head, load, panel, state } from "../app/ui.js";
import { addDevice } from "../app/add_device.js";
import { recordState } from "./devices.js";

function tile(href, sign, label, figure, note) {
	return el("a", { class: "panel tile", href }, el("span", { class: "label" }, icon(sign), label), el("span", { class: "figure" }, figure), el("span", { class: "sub" }, note));
}

export async function show(page) {
	const tiles = el("div", { class: "tiles" });
	const recent = el("div", {});
	const add = async () => {
		const device = await addDevice();
		if (device) page.open(`/devices/${encodeURIComponent(device.id)}`);
	};
	page.root.append(
		head({ title: t("overview.title"), about: t("overview.about"), actions: may("admin") && button(t("devices.new"), { icon: "plus", kind: "main", "data-new": true, onclick: add }) }),
		tiles, el("div", { class: "grid two" }, panel({ title: t("overview.changes"), actions: may("admin") && button(t("overview.changes.all"), { kind: "small quiet", href: "#/audit" }) }, recent)));
	const drawTiles = (devices, isWhole) => {
		const on = devices.filter(d => recordState(d)[0] === "on").length, fresh = devices.filter(d => recordState(d)[0] === "new").length;
		fill(tiles,
			tile("#/devices", "devices", t("overview.devices"), number(devices.length) + (isWhole ? "" : "…"), t("overview.devices.on", { n: on })),
			tile("#/devices", "qr", t("overview.new"), number(fresh), fresh ? t("overview.new.some") : t("overview.new.none")));
	};
	drawTiles([], false);
	load(recent, () => get("/api/v1/audit?limit=8", { signal: page.signal }), ({ items }) => (items.length
		? el("ul", { class: "feed" }, items.map(a => el("li", {}, el("span", { class: "grow ellipsis" }, name(a.actor.replace(/^admin:/, "")), " ", el("span", { class: "dim" }, t("audit." + a.action) === "audit." + a.action ? a.action.replace(/_/g, " ") : t("audit." + a.action)), " ", name(a.subject ?? "")), el("span", { class: "dim small", title: time(a.at) }, ago(a.at)))))
		: state({ icon: "audit", title: t("overview.changes.none") })));
	const devices = await all("/api/v1/devices", { signal: page.signal, onPage: (_, far) => drawTiles(far, false) });
	drawTiles(devices, true);
}
