// SPDX-License-Identifier: GPL-3.0-or-later
// Dialogs: <dialog> keeps the focus inside and gives it back; Escape closes.

import { el } from "./dom.js";
import { t } from "./text.js";
import { button, busy, copyButton, download, id } from "./ui.js";

/*
 * open({title, body, foot, wide, onclose}) → {node, close(value), done}. body and foot may be functions
 * that get that object. done: what close was called with, undefined when it was left.
 */
export function open({ title, body, foot, wide, drawer, label, onclose }) {
	const heading = id("dialog");
	const node = el("dialog", { class: drawer ? "drawer" : wide ? "wide" : "", "aria-labelledby": title ? heading : null, "aria-label": label });
	let settle;
	const self = { node, done: new Promise(f => { settle = f; }), close(value) { self.value = value; node.close(); } };
	const make = part => (typeof part === "function" ? part(self) : part);
	if (drawer) {
		node.append(make(body));
	} else {
		node.append(el("div", { class: "dialog-head" }, el("h2", { id: heading }, title), button("", { icon: "close", kind: "quiet", label: t("close"), onclick: () => self.close() })));
		node.append(el("div", { class: "dialog-body" }, make(body)));
		if (foot) node.append(el("div", { class: "dialog-foot" }, make(foot)));
	}
	// A click beside it closes, but not one that began inside (text being marked).
	let began = null;
	node.addEventListener("pointerdown", event => { began = event.target; });
	node.addEventListener("click", event => { if (drawer && event.target === node && began === node) self.close(); });
	node.addEventListener("close", () => {
		node.remove();
		onclose?.(self.value);
		settle(self.value);
	});
	document.body.append(node);
	node.showModal();
	const first = node.querySelector("[autofocus]") ?? node.querySelector(".dialog-body :is(input, select, textarea):not([type=hidden])");
	(first ?? node.querySelector(".dialog-foot .button.main"))?.focus();
	return self;
}

/* Asks; resolves to true when it shall be done. */
export function confirm({ title, text, action, danger }) {
	return open({
		title, body: el("p", {}, text),
		foot: d => [
			button(t("cancel"), { onclick: () => d.close(false), ...(danger ? { autofocus: true } : {}) }),
			button(action, { kind: danger ? "danger" : "main", onclick: () => d.close(true) }),
		],
	}).done;
}

/* A dialog around a form (form.js): save(value) stores; its problem is shown at the fields. */
export function formDialog({ title, intro, form, save, action, wide, extra }) {
	let storing = null;
	const dialog = open({
		title, wide,
		body: d => {
			const node = form.node;
			const wrong = el("div", { role: "alert" });
			node.addEventListener("submit", async event => {
				event.preventDefault();
				const submit = d.node.querySelector("[data-submit]");
				wrong.replaceChildren();
				await busy(submit, async () => {
					try {
						form.clearProblem();
						storing = Promise.resolve(save(form.value())).then(stored => stored ?? true);
						d.close(await storing);
					} catch (error) {
						if (!d.node.isConnected || !form.showProblem(error, wrong)) throw error;
					}
				});
			});
			return [intro, wrong, node];
		},
		foot: d => [
			extra?.(d),
			button(t("cancel"), { onclick: () => d.close() }),
			el("button", { type: "submit", class: "button main", "data-submit": true, form: form.node.getAttribute("id") }, action ?? t("save")),
		],
	});
	// Left while it stores, it is stored all the same, and the page has to know.
	return { ...dialog, done: dialog.done.then(async value => value ?? (await storing?.catch(() => {})) ?? undefined) };
}

/* Shown once: what only its hash is kept of. */
export function showSecret({ title, text, secret, filename }) {
	return open({
		title,
		body: [
			el("p", {}, text),
			el("pre", { class: "secret", tabindex: "0" }, secret),
			el("div", { class: "row" },
				copyButton(() => secret),
				filename && button(t("download"), { icon: "download", onclick: () => download(filename, secret) })),
		],
		foot: d => button(t("secret.kept"), { kind: "main", onclick: () => d.close(true) }),
	}).done;
}

