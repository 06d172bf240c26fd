// SPDX-License-Identifier: GPL-3.0-or-later
// All that people read stands in texts/LANGUAGE.js: t("devices.title"), t("count.rows", {n: 3}).

import texts from "../texts/en.js";

export const language = "en";

/* {name} is replaced by params.name. A text that is an object is chosen by params.n: one, other. */
export function t(key, params) {
	let text = texts[key];
	if (text === undefined) return key;
	if (typeof text === "object") text = params.n === 1 ? text.one : text.other;
	return params ? text.replace(/\{(\w+)\}/g, (all, word) => (word === "n" ? number(params.n) : params[word] ?? all)) : text;
}

/* Is there such a text? */
export const has = key => key in texts;

const numbers = new Intl.NumberFormat(language);
const times = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const days = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const dates = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
const clocks = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const ages = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });

export const number = value => (value === null || value === undefined ? "–" : numbers.format(value));
export const time = ms => (ms ? times.format(ms) : "–");
export const day = ms => (ms ? days.format(ms) : "–");
/* Without its year. */
export const date = ms => dates.format(ms);
export const clock = ms => clocks.format(ms);

const UNITS = [["year", 31536e6], ["month", 2592e6], ["day", 864e5], ["hour", 36e5], ["minute", 6e4]];

/* "3 min. ago", "in 2 days" */
export function ago(ms, now = Date.now()) {
	if (!ms) return t("never");
	const gone = ms - now;
	for (const [unit, size] of UNITS)
		if (Math.abs(gone) >= size) return ages.format(Math.round(gone / size), unit);
	return Math.abs(gone) < 5000 ? t("now") : ages.format(Math.round(gone / 1000), "second");
}

const SIZES = ["B", "kB", "MB", "GB", "TB", "PB"];

export function bytes(value) {
	if (value === null || value === undefined) return "–";
	let size = Number(value), at = 0;
	while (size >= 1000 && at < SIZES.length - 1) {
		size /= 1000;
		at++;
	}
	return `${at && size < 10 ? size.toFixed(1) : Math.round(size)} ${SIZES[at]}`;
}
