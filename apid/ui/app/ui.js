// SPDX-License-Identifier: GPL-3.0-or-later
// Heads, panels, buttons, and what stands where there is nothing yet.

import { el, fill, icon } from "./dom.js";
import { t } from "./text.js";
import { toast } from "./toast.js";

/* The head of a page. actions: buttons. crumb: [link, text] to where one came from. */
export function head({ title, about, crumb, actions }) {
	document.title = `${typeof title === "string" ? title : title.textContent} · Culvert`;
	return el("header", { class: "head" },
		el("div", { class: "titles" },
			crumb && el("p", { class: "crumb" }, el("a", { href: crumb[0] }, crumb[1])),
			el("h1", { tabindex: "-1" }, title),
			about && el("p", {}, about)),
		actions && el("div", { class: "actions" }, actions));
}

let serial = 0;
export const id = prefix => `${prefix}-${++serial}`;

/* A translucent panel with a heading. */
export function panel({ title, actions, flush, props }, ...kids) {
	const heading = title ? id("panel") : null;
	return el(title ? "section" : "div", { class: flush ? "panel flush" : "panel", "aria-labelledby": heading, ...props },
		title && el("div", { class: "panel-head" }, el("h2", { id: heading }, title), actions),
		kids);
}

/* onclick may take its time: the button shows that, and a problem is told. */
export function button(text, { icon: sign, kind = "", onclick, href, label, ...props } = {}) {
	const only = !text;
	const attributes = { class: `button ${kind}${only ? " icon-only" : ""}`, "aria-label": only ? label : undefined, title: only ? label : undefined, ...props };
	if (href) return el("a", { ...attributes, href }, sign && icon(sign), text);
	const node = el("button", { type: "button", ...attributes }, sign && icon(sign), text);
	if (onclick) node.addEventListener("click", event => busy(node, () => onclick(event)));
	return node;
}

/* Runs f, the node marked as busy; a problem becomes a toast. True when it went well. */
export async function busy(node, f) {
	if (node.getAttribute("aria-busy") === "true") return false;
	const work = f();
	if (!(work instanceof Promise)) return true;
	node.setAttribute("aria-busy", "true");
	try {
		await work;
		return true;
	} catch (error) {
		told(error);
		return false;
	} finally {
		node.removeAttribute("aria-busy");
	}
}

/* Tells a problem; what is no problem of the API's is a mistake of ours and goes on. */
export function told(error) {
	if (error.name === "AbortError") return;
	if (error.status === undefined) throw error;
	toast(error.message, { kind: "bad" });
}

/* page: it is all that the page has. */
export function state({ icon: sign, title, text, actions, failed, page }) {
	return el("div", { class: failed ? "state failed" : "state", role: failed ? "alert" : null },
		icon(sign ?? "question"), el(page ? "h1" : "h2", {}, title), text && el("p", {}, text), actions && el("div", { class: "actions" }, actions));
}

export function failed(error, retry, page) {
	const isMissing = error.status === 404, isForbidden = error.status === 403;
	return state({
		icon: "warning", failed: true, page,
		title: isMissing ? t("failed.missing") : isForbidden ? t("failed.forbidden") : t("failed.title"),
		text: error.status === undefined ? t("failed.mistake") : error.message,
		actions: isMissing ? button(t("failed.back"), { href: location.hash.split(/[/?]/).slice(0, 3).length > 2 ? `#/${location.hash.split(/[/?]/)[1]}` : "#/overview" })
			: retry && !isForbidden && button(t("failed.retry"), { icon: "sync", onclick: retry }),
	});
}

export const ghost = (lines = 6) => el("div", { class: "ghost", role: "status", "aria-label": t("loading") }, Array.from({ length: lines }, () => el("span")));

/* Shows that it loads, then what make(await get()) gives, or what went wrong and a way to try again. */
export async function load(place, get, make) {
	fill(place, ghost());
	try {
		fill(place, make(await get()));
	} catch (error) {
		if (error.name === "AbortError") return;
		fill(place, failed(error, () => load(place, get, make)));
		if (error.status === undefined) console.error(error);
	}
}

/* tone: good, bad, warn, accent or nothing. */
export const mark = (text, tone = "", sign) => el("span", { class: `mark ${tone}${sign ? " signed" : ""}` }, sign && icon(sign), text);

export const note = (text, tone = "", sign) => el("div", { class: `note ${tone}` }, icon(sign ?? (tone ? "warning" : "question")), el("div", {}, text));

/* Name and value, in two columns. Leaves out what has no value. */
export function facts(pairs) {
	return el("dl", { class: "facts" }, pairs.filter(p => p && p[1] !== undefined && p[1] !== null && p[1] !== "").map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
}

export function copyButton(get, label = t("copy")) {
	return button(label, {
		icon: "copy", kind: "small", onclick: async () => {
			await navigator.clipboard.writeText(get());
			toast(t("copied"));
		},
	});
}

/* Offers a text as a file. */
export function download(filename, text, type = "text/plain") {
	const url = URL.createObjectURL(new Blob([text], { type }));
	el("a", { href: url, download: filename }).click();
	setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/* tabs([["", "Settings"], ["activity", "Activity"]], "#/devices/x", "activity") */
export function tabs(list, base, current, label) {
	const node = el("nav", { class: "tabs", "aria-label": label }, list.map(([key, text]) =>
		el("a", { href: key ? `${base}/${key}` : base, "aria-current": key === current ? "page" : null }, text)));
	// Where they do not all fit, the present one is in sight.
	const here = node.querySelector("[aria-current]");
	new ResizeObserver(() => { node.scrollLeft = here ? here.offsetLeft - node.offsetLeft - (node.clientWidth - here.offsetWidth) / 2 : 0; }).observe(node);
	return node;
}
