// SPDX-License-Identifier: GPL-3.0-or-later
// A device in one step: its name in, its configuration and QR code out. The private key is made in this browser.

import { el, plain } from "./dom.js";
import { change, get } from "./api.js";
import { t } from "./text.js";
import { button, copyButton, download, note, told } from "./ui.js";
import { confirm, formDialog, open } from "./dialog.js";
import { makeForm } from "./form.js";
import { create } from "./records.js";
import { qrImage, svgImage } from "./qr.js";
import { canMakeKeys, makeKeys } from "./x25519.js";

const at = id => `/api/v1/devices/${encodeURIComponent(id)}`;
const LINE = "# PrivateKey = (made on the device)";

/* The configuration with a private key of this browser's; its public half is the device's from now on. */
async function makeHere(id) {
	const keys = await makeKeys();
	await change("PATCH", at(id), { public_key: keys.publicKey });
	const text = await get(at(id) + "/config", { accept: "text/plain" });
	if (!text.includes(LINE)) throw new Error("the configuration has no place for a key");
	const config = text.replace(LINE, "PrivateKey = " + keys.privateKey);
	return { config, image: qrImage(config) };
}

async function makeThere(id) {
	const answer = await change("POST", at(id) + "/config");
	return { config: answer.config, image: svgImage(answer.qr) };
}

/* New keys and what the device needs, shown once. */
export async function showConfig(device) {
	const isHere = await canMakeKeys();
	const { config, image } = isHere ? await makeHere(device.id) : await makeThere(device.id);
	return open({
		title: t("config.title", { name: plain(device.name || device.id, 60) }), wide: true,
		body: [
			el("div", { class: "grid" },
				el("div", { class: "stack" }, el("img", { class: "qr", src: image, alt: t("config.qr") }), el("p", { class: "dim small" }, t("config.scan"))),
				el("div", { class: "stack" },
					el("pre", { class: "secret", tabindex: "0", "aria-label": t("config.file"), "data-config": true }, config),
					el("div", { class: "row" },
						button(t("config.download"), { icon: "download", onclick: () => download(`${device.id.replace(/[^\w.-]/g, "_").slice(0, 15)}.conf`, config) }),
						copyButton(() => config)))),
			note(t(isHere ? "config.once.here" : "config.once.there"), "warn"),
		],
		foot: d => button(t("done"), { kind: "main", onclick: () => d.close() }),
	}).done;
}

/* The same for a device that has a key already. */
export async function renewConfig(device) {
	if (device.public_key && !(await confirm({ title: t("config.renew"), text: t("config.renew.about"), action: t("config.renew.do"), danger: true }))) return;
	await showConfig(device);
}

/* A link that the device opens itself. */
export async function showEnrolment(device) {
	const answer = await change("POST", at(device.id) + "/enrolment");
	return open({
		title: t("enrol.title"),
		body: [
			el("p", { class: "dim" }, t("enrol.about")),
			el("img", { class: "qr", src: svgImage(answer.qr), alt: t("enrol.qr") }),
			el("pre", { class: "secret", tabindex: "0" }, answer.url),
			el("div", { class: "row" }, copyButton(() => answer.url)),
		],
		foot: d => button(t("done"), { kind: "main", onclick: () => d.close() }),
	}).done;
}

/* Resolves to the new device, or undefined. */
export async function addDevice() {
	const form = makeForm([
		{ name: "name", kind: "text", required: true, placeholder: t("add.name.example"), max: 256 },
		{ name: "group", kind: "pick", of: "/api/v1/groups", none: t("add.group.none") },
		{ kind: "group", more: true, title: t("add.more"), fields: [
			{ name: "user", kind: "pick", of: "/api/v1/users", many: true },
			{ name: "id", kind: "text", max: 64 },
			{ name: "expires_at", kind: "when" },
			{ name: "addresses", kind: "texts", rows: 2 },
		] },
	], {}, "device");
	const device = await formDialog({
		title: t("add.title"), intro: el("p", { class: "dim" }, t("add.about")), form, action: t("add.do"),
		save: value => create("/api/v1/devices", { ...value, name: value.name ?? value.id ?? "" }, { from: value.name }),
	}).done;
	// It is there, also where its configuration could not be had: its page offers that again.
	if (device) await showConfig(device).catch(told);
	return device || undefined;
}

