// SPDX-License-Identifier: GPL-3.0-or-later
// After the first account is made: a second factor, the gateway's address, the first device. Each may be left out.

import { el, fill } from "../app/dom.js";
import { all, change, may, me } from "../app/api.js";
import { t } from "../app/text.js";
import { button, head, mark, panel } from "../app/ui.js";
import { makeForm, pageForm } from "../app/form.js";
import { setUpTotp } from "./me.js";
import { addDevice } from "../app/add_device.js";

const ENDPOINT = "/api/v1/settings/endpoint";

async function readEndpoint() {
	return (await all("/api/v1/settings?q=endpoint")).find(s => s.id === "endpoint")?.value;
}

function factorStep(next) {
	if (me().totp) return [el("p", {}, mark(t("totp.on"), "good", "check")), el("div", { class: "row end" }, button(t("welcome.next"), { kind: "main", onclick: next }))];
	return [el("p", {}, t("totp.off.about")), el("div", { class: "row end" },
		button(t("welcome.later"), { onclick: next }),
		button(t("totp.set.up"), { icon: "firewall", kind: "main", onclick: async () => { if (await setUpTotp()) next(); } }))];
}

async function endpointStep(next) {
	const value = await readEndpoint();
	const form = makeForm([{ name: "value", kind: "text", required: true, placeholder: "vpn.example.org" }], { value }, "endpoint");
	const node = pageForm(form, {
		action: t("welcome.next"), save: async ({ value: wanted = "" }) => {
			if (wanted !== value) await change("PUT", ENDPOINT, { id: "endpoint", value: wanted });
			next();
		},
	});
	return [el("p", {}, t("welcome.endpoint.about")), node];
}

function deviceStep(next) {
	return [el("p", {}, t("welcome.device.about")), el("div", { class: "row end" },
		button(t("welcome.later"), { onclick: next }),
		button(t("devices.new"), { icon: "plus", kind: "main", "data-new": true, onclick: async () => { if (await addDevice()) next(); } }))];
}

export async function show(page) {
	const steps = [["factor", factorStep], ...(may("admin") && !me().groups ? [["endpoint", endpointStep]] : []), ...(may("admin") ? [["device", deviceStep]] : [])];
	const bar = el("ol", { class: "steps narrow", "aria-hidden": "true" }), place = el("div", { class: "narrow" });
	let at = -1;
	async function next() {
		if (page.signal.aborted) return;
		if (++at >= steps.length) return page.open("/overview");
		fill(bar, steps.map((_, i) => el("li", { class: i <= at ? "done" : "" })));
		const [key, make] = steps[at];
		fill(place, panel({ title: t("welcome.step", { at: at + 1, of: steps.length, what: t(`welcome.${key}`) }) }, el("div", { class: "stack" }, await make(next))));
		if (at) place.querySelector("input, .button.main")?.focus();
	}
	page.root.append(head({ title: t("welcome.title", { name: me().name }), about: t("welcome.about") }), bar, place);
	await next();
}
