// SPDX-License-Identifier: GPL-3.0-or-later
// One's own account: second factor and password.

import { el, fill } from "../app/dom.js";
import { change, me, refresh } from "../app/api.js";
import { t } from "../app/text.js";
import { button, facts, head, mark, note, panel } from "../app/ui.js";
import { makeForm, pageForm } from "../app/form.js";
import { formDialog, showSecret } from "../app/dialog.js";
import { svgImage } from "../app/qr.js";
import { toast } from "../app/toast.js";

/* Seed, then a code that proves that the app has it, then the recovery codes. True when it is on. */
export async function setUpTotp() {
	const seed = await change("POST", "/auth/totp/begin");
	const form = makeForm([{ name: "totp", kind: "text", required: true, autocomplete: "one-time-code", inputmode: "numeric", max: 6 }], {}, "totp");
	const codes = await formDialog({
		title: t("totp.title"), form, action: t("totp.confirm"),
		intro: el("div", { class: "stack" },
			el("p", { class: "dim" }, t("totp.scan")),
			el("img", { class: "qr", src: svgImage(seed.qr), alt: t("totp.qr") }),
			el("details", {}, el("summary", {}, t("totp.by.hand")), el("pre", { class: "secret", "data-seed": true, tabindex: "0" }, seed.secret))),
		save: value => change("POST", "/auth/totp/confirm", { totp: value.totp ?? "" }),
	}).done;
	if (!codes) return false;
	await refresh();
	await showSecret({ title: t("totp.codes"), text: t("totp.codes.about"), secret: codes.recovery_codes.join("\n"), filename: "culvert-recovery-codes.txt" });
	return true;
}

function askPassword(title, action, save) {
	const form = makeForm([{ name: "password", kind: "password", required: true, autocomplete: "current-password" }], {}, "me");
	return formDialog({ title, form, action, save: value => save(value.password ?? "") }).done;
}

export async function show(page) {
	const factor = el("div", { class: "stack" });
	const drawFactor = () => fill(factor, me().totp
		? [el("p", {}, mark(t("totp.on"), "good", "check")), el("p", { class: "dim" }, t("totp.on.about")),
			el("div", { class: "row" },
				button(t("totp.off.do"), {
					kind: "danger", onclick: async () => {
						if (await askPassword(t("totp.off.do"), t("totp.off.do"), async password => { await change("POST", "/auth/totp/disable", { password }); return true; })) {
							await refresh();
							drawFactor();
							toast(t("totp.off"));
						}
					},
				}))]
		: [note(t("totp.off.about"), "warn"), el("div", { class: "row" }, button(t("totp.set.up"), { icon: "firewall", kind: "main", onclick: async () => { if (await setUpTotp()) drawFactor(); } }))]);
	drawFactor();

	const form = makeForm([
		{ name: "password", kind: "password", required: true, autocomplete: "current-password" },
		{ name: "new", kind: "password", required: true },
	], {}, "me");
	const password = pageForm(form, {
		action: t("me.password.do"), save: async ({ password: old = "", new: next = "" }) => {
			await change("POST", "/auth/password", { password: old, new: next });
			form.node.reset();
			await refresh();
			toast(t("me.password.done"));
		},
	});
	const groups = me().groups;
	page.root.append(head({ title: t("me.title"), about: t("me.about") }),
		el("div", { class: "grid" },
			panel({ title: t("me.factor") }, factor),
			panel({ title: t("me.password") }, password),
			panel({ title: t("me.account") }, facts([
				[t("login.user"), me().name], [t("me.role"), t("role." + me().role)], [t("me.groups"), groups ? groups.join(", ") : t("me.groups.all")],
			]))));
}
