// SPDX-License-Identifier: GPL-3.0-or-later
// Keys that work on every page: / search, n new, g then a letter a page, ? this list.

import { el } from "./dom.js";
import { find } from "./nav.js";
import { t } from "./text.js";
import { open } from "./dialog.js";

const GO = { o: "overview", l: "live", t: "report", d: "devices", u: "users", g: "groups", a: "appeals", w: "websites", e: "explain", h: "health", s: "settings" };
let waiting = false, isOn = false;
const own = new Map();

/* A key of one page's; gone when the signal is aborted. text: for the list. */
export function onKey(key, text, run, signal) {
	own.set(key, { text, run });
	signal.addEventListener("abort", () => { if (own.get(key)?.run === run) own.delete(key); });
}

function isWriting(target) {
	return target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]");
}

function help() {
	const row = (keys, text) => [el("dt", {}, keys.map(k => [el("kbd", {}, k), " "])), el("dd", {}, text)];
	open({
		title: t("keys.title"), body: el("dl", { class: "facts" },
			row(["/"], t("keys.search")), row(["n"], t("keys.new")), row(["?"], t("keys.help")),
			[...own].map(([key, { text }]) => row([key], text)),
			Object.entries(GO).filter(([, id]) => find(id)).map(([key, id]) => row(["g", key], t("keys.go", { page: t("nav." + id) })))),
	});
}

function press(event) {
	// A key that is held down is one press: else all appeals would be approved.
	if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
	const key = event.key;
	let did = true;
	if (waiting) {
		waiting = false;
		if (find(GO[key])) location.hash = `#/${GO[key]}`;
	} else if (own.has(key)) own.get(key).run();
	else if (key === "g") waiting = true;
	else if (key === "/") document.querySelector("main [data-search]")?.focus();
	else if (key === "n") document.querySelector("main [data-new]")?.click();
	else if (key === "?") help();
	else did = false;
	if (did) event.preventDefault();
}

export function listenKeys() {
	if (!isOn) window.addEventListener("keydown", press);
	isOn = true;
}
