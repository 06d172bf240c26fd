// SPDX-License-Identifier: GPL-3.0-or-later
// Elements are made here and nowhere else. Text goes in as text: no string ever becomes markup.

const SVG = "http://www.w3.org/2000/svg";

// As properties; everything else is an attribute.
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "indeterminate", "open", "readOnly", "required", "selected"]);

/* el("a", {href: "#/devices", class: "button", onclick: f}, "text", node, [more], null) */
export function el(tag, props, ...kids) {
	const node = document.createElement(tag);
	for (const [key, value] of Object.entries(props ?? {})) {
		if (value === undefined || value === null) continue;
		if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
		else if (PROPERTIES.has(key)) node[key] = value;
		else if (value === false) continue;
		else if (key === "href" && !/^(#|\/(?!\/)|blob:|data:)/.test(value)) throw new Error("a link out");
		else node.setAttribute(key, value === true ? "" : value);
	}
	add(node, kids);
	return node;
}

/* Appends; leaves out what is nothing. */
export function add(node, ...kids) {
	for (const kid of kids.flat(Infinity)) {
		if (kid === null || kid === undefined || kid === false) continue;
		node.append(kid);
	}
	return node;
}

/* Puts kids in the place of all that is there. */
export function fill(node, ...kids) {
	node.replaceChildren();
	return add(node, ...kids);
}

// Letters that turn text round, or that nobody sees, could make one name look like another. Joiners stay where
// they are writing: between letters of Arabic and Indic scripts, and between the parts of one emoji.
// eslint-disable-next-line no-control-regex
const TRICKS = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/gu;
const WRITTEN = "[\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Mongolian}\\p{Script=Devanagari}\\p{Script=Bengali}\\p{Script=Gurmukhi}\\p{Script=Gujarati}\\p{Script=Oriya}\\p{Script=Tamil}\\p{Script=Telugu}\\p{Script=Kannada}\\p{Script=Malayalam}\\p{Script=Sinhala}]";
const EMOJI = "(?<=\\p{Extended_Pictographic}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]?)\\u200d(?=\\p{Extended_Pictographic}|[\\u2640\\u2642])";
const JOINERS = new RegExp(`${EMOJI}|(?<=${WRITTEN})[\\u200c\\u200d](?=${WRITTEN}| |$)|([\\u200c\\u200d])`, "gu");
const SHOWN = 160;

/* What somebody wrote, as one line that is what it looks like. */
export function plain(value, length = SHOWN) {
	const text = String(value ?? "");
	const cut = text.length > length ? text.slice(0, length).replace(/[\ud800-\udbff]$/, "") + "…" : text;
	if (text && !text.trim()) return "\u2423";
	return cut.replace(TRICKS, "\ufffd").replace(JOINERS, (found, odd) => (odd ? "\ufffd" : found));
}

/* The same as an element, isolated from the text around it. */
export function name(value, props) {
	const text = String(value ?? "");
	return el("bdi", { title: text.length > 24 ? plain(text, 1000) : null, ...props, class: "name " + (props?.class ?? "") }, plain(text));
}

/* Addresses, keys, host names. */
export const code = (value, props) => name(value, { ...props, class: "mono " + (props?.class ?? "") });

export function svg(tag, props, ...kids) {
	const node = document.createElementNS(SVG, tag);
	for (const [key, value] of Object.entries(props ?? {}))
		if (value !== undefined && value !== null) node.setAttribute(key, value);
	return add(node, kids);
}

// 24 x 24, strokes.
const ICONS = {
	overview: "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-4H4zM14 8h6V4h-6z",
	live: "M3 12h4l3-8 4 16 3-8h4",
	report: "M5 20V10M12 20V4M19 20v-7",
	devices: "M7 3h10a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
	users: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 3.6-6 8-6s8 2 8 6",
	groups: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.4 2.9-5 6.5-5s6.5 1.6 6.5 5M16 4.5a3.5 3.5 0 0 1 0 6.3M18 15.4c2.2.6 3.5 2.1 3.5 4.6",
	lists: "M8 6h13M8 12h13M8 18h13M3.5 6h.01M3.5 12h.01M3.5 18h.01",
	websites: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c2.5 2.5 3.8 5.6 3.8 9s-1.3 6.5-3.8 9c-2.5-2.5-3.8-5.6-3.8-9S9.5 5.5 12 3z",
	words: "M4 7V5h16v2M12 5v14M9 19h6",
	dns: "M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5h.01M7.5 16.5h.01",
	firewall: "M12 3l8 3v6c0 4.6-3.3 7.9-8 9-4.7-1.1-8-4.4-8-9V6z",
	appeals: "M4 5h16v11H9l-5 4z",
	explain: "M6 4v6a4 4 0 0 0 4 4h8M14 10l4 4-4 4M6 20h.01",
	sync: "M20 11a8 8 0 0 0-14.3-4L3 9.5M3 4v5.5h5.5M4 13a8 8 0 0 0 14.3 4l2.7-2.5M21 20v-5.5h-5.5",
	audit: "M7 3h8l4 4v14H7zM15 3v4h4M10 12h6M10 16h6",
	accounts: "M12 3l8 3v6c0 4.6-3.3 7.9-8 9-4.7-1.1-8-4.4-8-9V6zM12 12a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM8.4 16.4c.5-1.7 1.9-2.6 3.6-2.6s3.1.9 3.6 2.6",
	keys: "M14.5 9.5a4 4 0 1 1-1.2-2.8 4 4 0 0 1 1.2 2.8zM13.5 12L20 18.5M17 15.5l-2 2",
	settings: "M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM19 12l2-1.2-2-3.6-2.3.7-1.6-1L14.5 4h-5l-.6 2.9-1.6 1L5 7.2 3 10.8 5 12l-2 1.2 2 3.6 2.3-.7 1.6 1 .6 2.9h5l.6-2.9 1.6-1 2.3.7 2-3.6z",
	health: "M12 20.5l-7.8-7.7a5 5 0 0 1 7.1-7.1l.7.7.7-.7a5 5 0 0 1 7.1 7.1z",
	search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20.5 20.5L16 16",
	plus: "M12 5v14M5 12h14",
	close: "M6 6l12 12M18 6L6 18",
	menu: "M4 7h16M4 12h16M4 17h16",
	check: "M5 12.5l4.5 4.5L19 7.5",
	block: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.7 5.7l12.6 12.6",
	question: "M9 9a3 3 0 1 1 4.4 2.6c-.9.5-1.4 1.2-1.4 2.4M12 17.5h.01",
	warning: "M12 4l9 16H3zM12 10v4.5M12 17.3h.01",
	edit: "M4 20l1-4L16 5l3 3L8 19z",
	trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5",
	copy: "M9 9h11v11H9zM5 15H4V4h11v1",
	download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
	sun: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
	moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
	out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
	pause: "M9 5v14M15 5v14",
	play: "M7 5l12 7-12 7z",
	clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
	up: "M12 19V5M6 11l6-6 6 6",
	down: "M12 5v14M6 13l6 6 6-6",
	next: "M9 5l7 7-7 7",
	qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2zM14 19.5h.01M19.5 14h.01",
};

export function icon(id, props) {
	return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", ...props }, svg("path", { d: ICONS[id] ?? ICONS.question }));
}

/* Calls f at the end of the frame, once however often it was asked for. */
export function onceAFrame(f) {
	let waits = false;
	return () => {
		if (waits) return;
		waits = true;
		requestAnimationFrame(() => {
			waits = false;
			f();
		});
	};
}

/* Lets the browser do what waits: work over many records is cut by this. */
export const pause = () => new Promise(done => {
	if (globalThis.scheduler?.yield) globalThis.scheduler.yield().then(done);
	else setTimeout(done, 0);
});
