// SPDX-License-Identifier: GPL-3.0-or-later
// One form per theme; every setting is a record of its own, and only what was changed is stored.

import { el, plain } from "../app/dom.js";
import * as api from "../app/api.js";
import { ago, number, t } from "../app/text.js";
import { button, facts, head, load, panel, tabs } from "../app/ui.js";
import { backupPanels } from "../app/backups.js";
import { makeForm, pageForm } from "../app/form.js";
import { policyChoices, policyFields } from "../app/policy.js";
import { toast } from "../app/toast.js";

const NOTIFY = [
	{ kind: "group", title: t("notify.what"), fields: [{ name: "appeals", kind: "switch", initial: true }, { name: "alarms", kind: "switch", initial: true }] },
	{ kind: "group", title: t("notify.webhook"), fields: [{ name: "url", kind: "text", type: "url", max: 2048, placeholder: "https://hooks.example/culvert" }] },
	{ kind: "group", title: t("notify.mail"), columns: true, fields: [
		{ name: "host", kind: "text", max: 253, placeholder: "smtp.example.org" }, { name: "port", kind: "number", min: 1, max: 65535, placeholder: "587" },
		{ name: "security", kind: "choice", choices: ["starttls", "tls", "none"], none: "STARTTLS" }, { name: "user", kind: "text", max: 254 },
		{ name: "from", kind: "text", type: "email", max: 254 }, { name: "to", kind: "texts", rows: 2 },
	] },
];
const WEBHOOK = ["url"], MAIL = ["host", "port", "security", "user", "from", "to"];

const THEMES = [
	["", [
		{ name: "endpoint", kind: "text", placeholder: "vpn.example.org" },
		{ name: "portal_host", kind: "text", placeholder: "gateway.example.org" },
		{ name: "query_log", kind: "switch" },
		{ name: "policy_source", kind: "choice", none: t("settings.built.in"), choices: ["local", "directus"] },
	]],
	["access", [
		{ name: "premium_vpn_enabled", kind: "switch", initial: true },
		{ name: "subscription_required", kind: "switch" },
		{ name: "expired_grace_days", kind: "number", min: 0, placeholder: "30" },
		{ name: "quota_period", kind: "choice", none: t("settings.built.in"), choices: ["day", "week", "month", "never"] },
		{ name: "renewal_hosts", kind: "texts" },
		{ name: "offline_browser", kind: "switch" },
		{ name: "offline_vpn", kind: "switch" },
	]],
	["network", [
		{ name: "lan_prefixes", kind: "texts" },
		{ name: "rebind_exceptions", kind: "texts" },
		{ name: "connectivity_checks", kind: "texts" },
		{ name: "egress_denied_ports", kind: "texts" },
		{ name: "egress_web_ports", kind: "texts" },
	]],
	["notifications", NOTIFY],
	["defaults", null],
	["backup", null],
];
const isSeen = ([key]) => key !== "backup" || api.may("owner");

const path = id => `/api/v1/settings/${encodeURIComponent(id)}`;
const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/* Stores what differs. A setting without a value goes back to what is built in. */
async function store(before, after, known) {
	for (const key of known) {
		if (isSame(before[key], after[key])) continue;
		try {
			if (after[key] !== undefined) await api.change("PUT", path(key), { id: key, value: after[key] });
			else await api.change("DELETE", path(key));
		} catch (error) {
			// Told at its field.
			if (error.fields?.value) error.fields = { [key]: error.fields.value };
			throw error;
		}
		before[key] = after[key];
	}
}

/* A setting of many parts is stored as a whole: only where it is still as it was read, which is among values then. */
async function keepWhole(page, id, values) {
	let known = { ifNone: true };
	if (values[id] !== undefined) {
		const { data, etag } = await api.read(path(id), { signal: page.signal });
		values[id] = data.value;
		known = { etag };
	}
	return async value => {
		known = { etag: (await api.write("PUT", path(id), { id, value }, known)).etag };
	};
}

function formPanel(title, fields, values, save) {
	const node = pageForm(makeForm(fields, values, "settings"), {
		can: api.may("admin") && !api.me().groups, save: async value => {
			await save(value);
			toast(t("saved"));
		},
	});
	return panel({ title, props: { class: "panel narrow" } }, node);
}

/* The setting is an object of objects; the form is flat. */
function flatten({ webhook, mail, ...rest } = {}) {
	return { ...rest, ...webhook, ...mail };
}

function unflatten(flat) {
	const pick = keys => Object.fromEntries(keys.filter(k => flat[k] !== undefined).map(k => [k, flat[k]]));
	const out = { appeals: flat.appeals, alarms: flat.alarms };
	if (flat.url) out.webhook = pick(WEBHOOK);
	if (flat.host) out.mail = pick(MAIL);
	return out;
}

/* How it goes, and a button that sends one now. */
function notifyPanel(page) {
	const place = el("div", {});
	const draw = () => load(place, () => api.get("/api/v1/notifications", { signal: page.signal }), state => el("div", { class: "stack" }, ["webhook", "mail"].map(way => el("div", { class: "stack tight" }, el("h3", {}, t("notify." + way)),
		state[way].configured ? [facts([[t("notify.sent"), number(state[way].sent)], [t("notify.waiting"), number(state[way].waiting)], [t("notify.dropped"), state[way].dropped ? number(state[way].dropped) : null], [t("notify.at"), state[way].sent_at ? ago(state[way].sent_at) : t("never")], [t("list.error"), state[way].error && el("span", { class: "bad" }, plain(state[way].error, 300))]]),
			api.may("admin") && el("div", {}, button(t("notify.test"), { onclick: async () => { try { await api.change("POST", "/api/v1/notifications/test", { way }); toast(t("notify.tested")); } finally { draw(); } } }))] : el("p", { class: "dim" }, t("notify.off"))))));
	draw();
	return panel({ title: t("notify.state") }, place);
}

export async function show(page) {
	const themes = THEMES.filter(isSeen), [key, fields] = themes.find(([k]) => k === (page.args[0] ?? "")) ?? themes[0];
	const body = el("div", {});
	page.root.append(head({ title: t("settings.title"), about: t("settings.about." + (key || "general")) }), tabs(themes.map(([k]) => [k, t("settings.tab." + (k || "general"))]), "#/settings", key, t("settings.title")), body);
	if (key === "backup") return void body.append(backupPanels(page));
	await load(body, async () => {
		const values = Object.fromEntries((await api.all("/api/v1/settings", { signal: page.signal })).map(s => [s.id, s.value]));
		const whole = key === "notifications" ? key : "device_defaults";
		return [values, fields ?? policyFields(await policyChoices(api), "nothing"), await keepWhole(page, whole, values)];
	}, ([values, shown, keep]) => {
		if (key === "notifications") {
			return el("div", { class: "grid two" }, formPanel(t("settings.tab.notifications"), NOTIFY, flatten(values.notifications), async after => {
				await keep(unflatten(after));
				page.again();
			}), notifyPanel(page));
		}
		let before = fields ? values : values.device_defaults ?? {};
		return formPanel(t("settings.tab." + (key || "general")), shown, before, async after => {
			if (fields) {
				// Switches that were never touched are not stored.
				const known = fields.map(f => f.name).filter(name => before[name] !== undefined || !isSame(after[name], fields.find(f => f.name === name).initial ?? (fields.find(f => f.name === name).kind === "switch" ? false : undefined)));
				await store(before, after, known);
			} else {
				await keep(after);
			}
			before = after;
		});
	});
}

