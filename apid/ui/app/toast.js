// SPDX-License-Identifier: GPL-3.0-or-later
// Short messages at the foot of the page, with a way back where there is one.

import { el, icon } from "./dom.js";
import { t } from "./text.js";

const SHOWN_MS = 6000, WITH_ACTION_MS = 10000;
const MOST = 4;
let place = null;

/* kind "bad": something failed. action: {text, run}: "Undo". Gives a function that takes it away. */
export function toast(text, { kind = "", action } = {}) {
	if (!place) {
		place = el("div", { class: "toasts", role: "status", popover: "manual" });
		document.body.append(place);
	}
	const node = el("div", { class: `toast ${kind}` }, icon(kind === "bad" ? "warning" : "check"), el("span", { class: "grow" }, text));
	let timer;
	const remove = () => {
		clearTimeout(timer);
		node.remove();
		if (!place.childElementCount && place.matches(":popover-open")) place.hidePopover();
	};
	const start = () => { timer = setTimeout(remove, action || kind ? WITH_ACTION_MS : SHOWN_MS); };
	if (action) node.append(el("button", { type: "button", class: "button small", onclick: () => { remove(); action.run(); } }, action.text));
	node.append(el("button", { type: "button", class: "button quiet small icon-only", "aria-label": t("close"), onclick: remove }, icon("close")));
	node.addEventListener("pointerenter", () => clearTimeout(timer));
	node.addEventListener("pointerleave", start);
	node.addEventListener("focusin", () => clearTimeout(timer));
	while (place.childElementCount >= MOST) place.firstElementChild.remove();
	place.append(node);
	// Anew each time: above whatever dialog is open by now.
	if (place.matches(":popover-open")) place.hidePopover();
	place.showPopover();
	start();
	return remove;
}

/* After what can be taken back: undo is asked for it. */
export function undoable(text, undo) {
	return toast(text, {
		action: {
			text: t("undo"), run: async () => {
				try {
					await undo();
					toast(t("undone"));
				} catch (error) {
					toast(error.message, { kind: "bad" });
				}
			},
		},
	});
}
