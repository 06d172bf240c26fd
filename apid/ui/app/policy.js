// SPDX-License-Identifier: GPL-3.0-or-later
// The policy fields that devices, groups and the defaults of all devices have (an absent one inherits).

import { el, fill, plain } from "./dom.js";
import { Problem } from "./api.js";
import { t } from "./text.js";
import { button } from "./ui.js";
import { choiceText } from "./form.js";

const yesNo = name => [[true, t("yes")], [false, t("no")]].map(c => [c[0], choiceText("", name, String(c[0])) === String(c[0]) ? c[1] : choiceText("", name, String(c[0]))]);
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/* SafeSearch: an object that is there or inherits as a whole. */
export const safeSearch = inherit => ({
	name: "safe_search", kind: "custom", make(value) {
		const own = el("select", { class: "input", "aria-label": t("field.safe_search") }, [["", t(inherit === "nothing" ? "inherits.nothing" : "inherits")], ["on", t("safe_search.own")]].map(([v, l]) => el("option", { value: v, selected: (value ? "on" : "") === v }, l)));
		const boxes = ["google", "bing", "duckduckgo"].map(k => el("input", { type: "checkbox", checked: value?.[k] ?? true, value: k }));
		const tube = el("select", { class: "input auto", "aria-label": t("safe_search.youtube") }, ["strict", "moderate", "off"].map(v => el("option", { value: v, selected: (value?.youtube ?? "strict") === v }, t("safe_search.youtube." + v))));
		const rest = el("div", { class: "stack tight", hidden: !value }, el("div", { class: "choices" }, boxes.map(b => el("label", {}, b, t("safe_search." + b.value)))), el("label", { class: "row" }, t("safe_search.youtube"), tube));
		own.addEventListener("change", () => { rest.hidden = !own.value; });
		return {
			node: el("div", { class: "stack tight" }, own, rest),
			value: () => (own.value ? { ...Object.fromEntries(boxes.map(b => [b.value, b.checked])), youtube: tube.value } : undefined),
		};
	},
});

/* When what is blocked: lines of days, from, to. whats: [[value, text]] */
export function schedules(name, whats) {
	return {
		name, kind: "custom", make(value) {
			const lines = el("div", { class: "stack tight" });
			const line = s => {
				const what = el("select", { class: "input auto", "aria-label": t("schedule.what") }, [...whats, ...(whats.some(w => w[0] === s.what) ? [] : [[s.what, s.what]])].map(([v, l]) => el("option", { value: v, selected: v === s.what }, l)));
				const days = DAYS.map(d => el("input", { type: "checkbox", value: d, checked: !s.days?.length || s.days.includes(d) }));
				const from = el("input", { type: "time", class: "input auto", value: s.from ?? "21:00", "aria-label": t("schedule.from"), required: true });
				const to = el("input", { type: "time", class: "input auto", value: s.to ?? "06:00", "aria-label": t("schedule.to"), required: true });
				const node = el("fieldset", { class: "panel stack tight field" }, el("legend", { class: "sr" }, t("schedule.one")),
					el("div", { class: "row" }, what, from, "–", to, el("span", { class: "grow" }), button("", { icon: "trash", kind: "quiet small", label: t("schedule.remove"), onclick: () => node.remove() })),
					el("div", { class: "choices" }, days.map(d => el("label", {}, d, t("day." + d.value)))));
				node.dayless = () => (days.some(d => d.checked) ? undefined : days[0]);
				node.read = () => {
					const chosen = days.filter(d => d.checked).map(d => d.value);
					return { what: what.value, from: from.value, to: to.value, ...(chosen.length && chosen.length < 7 ? { days: chosen } : {}) };
				};
				return node;
			};
			fill(lines, (value ?? []).map(line));
			const node = el("div", { class: "stack tight" }, lines, el("div", {}, button(t("schedule.add"), { icon: "plus", kind: "small", onclick: () => lines.append(line({ what: whats[0][0] })) })));
			const firstDayless = () => [...lines.children].map(l => l.dayless()).find(Boolean);
			return {
				node,
				value() {
					// To the API no days are all days: nobody means that who has taken each away.
					if (firstDayless()) throw new Problem(400, { errors: [{ pointer: "/" + name, reason: t("schedule.no.day") }] });
					return lines.children.length ? [...lines.children].map(l => l.read()) : undefined;
				},
				focus: () => (firstDayless() ?? node.querySelector("select, button")).focus(),
			};
		},
	};
}

/* lists, categories: records that schedules may name. profiles: names. inherit: "nothing" where nothing is above. */
export function policyFields({ lists = [], categories = [], profiles = [] } = {}, inherit = true) {
	const known = ["full", "internet", "intranet", "walled"];
	const whats = [["all", t("schedule.all")], ...lists.map(l => ["list:" + l.id, t("schedule.list", { name: plain(l.title || l.id, 60) })]), ...categories.map(c => ["category:" + c.id, t("schedule.category", { name: plain(c.name || c.id, 60) })])];
	return [
		{ kind: "group", title: t("policy.web"), columns: true, fields: [
			{ name: "unknown_sites", kind: "choice", inherit, choices: ["block", "pass"] },
			{ name: "site_scope", kind: "choice", inherit, choices: ["browser", "all"] },
			{ name: "images", kind: "choice", inherit, choices: ["hide", "show"] },
			{ name: "words", kind: "choice", inherit, choices: ["hide", "show"] },
		] },
		safeSearch(inherit),
		{ kind: "group", title: t("policy.network"), columns: true, fields: [
			{ name: "profile", kind: "choice", inherit, choices: [...known, ...profiles.filter(p => !known.includes(p.name)).map(p => [p.name, p.name])] },
			{ name: "egress", kind: "choice", inherit, choices: ["off", "deny_tunnels", "web"] },
			{ name: "https_path", kind: "choice", inherit, choices: ["splice", "inline"] },
			{ name: "quic", kind: "choice", inherit, choices: ["reject", "judge"] },
			{ name: "strict", kind: "choice", inherit, choices: yesNo("strict") },
			{ name: "v6", kind: "choice", inherit, choices: yesNo("v6") },
			{ name: "quota_bytes", kind: "gigabytes" },
			{ name: "rate_kbit", kind: "megabits" },
		] },
		{ kind: "group", title: t("policy.times"), fields: [
			schedules("schedules", whats),
			{ name: "time_zone", kind: "text", placeholder: Intl.DateTimeFormat().resolvedOptions().timeZone },
		] },
		{ name: "privacy", kind: "choice", inherit, choices: ["full", "domains", "counts", "none"] },
	];
}

const ALL = ["unknown_sites", "site_scope", "images", "words", "safe_search", "profile", "egress", "https_path", "quic", "strict", "v6", "quota_bytes", "rate_kbit", "schedules", "time_zone", "privacy"];

/* What a record sets by itself, as little marks. */
export function policyMarks(record) {
	const set = ALL.filter(k => record[k] !== undefined);
	if (!set.length) return el("span", { class: "dim" }, t("policy.inherits"));
	return el("ul", { class: "chips" }, set.map(k => el("li", { class: "chip" }, `${t("field." + k)}: ${plain(policyText(k, record[k]), 80)}`)));
}

export function policyText(key, value) {
	if (key === "schedules") return t("count.windows", { n: value.length });
	if (key === "safe_search") return ["google", "bing", "duckduckgo"].filter(k => value[k]).map(k => t("safe_search." + k)).concat(value.youtube !== "off" ? "YouTube" : []).join(", ") || t("no");
	if (key === "quota_bytes") return value / 1e9 + " GB";
	if (key === "rate_kbit") return value / 1000 + " Mbit/s";
	return choiceText("", key, String(value)) !== String(value) ? choiceText("", key, String(value)) : value === true ? t("yes") : value === false ? t("no") : String(value);
}

/* The records that policyFields wants, read once. */
export async function policyChoices(api) {
	const [lists, categories, profiles] = await Promise.all(["list-sources", "categories", "profiles"].map(p => api.all("/api/v1/" + p).catch(() => [])));
	return { lists, categories, profiles };
}

