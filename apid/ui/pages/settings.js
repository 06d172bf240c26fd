// SPDX-License-Identifier: GPL-3.0-or-later
// One form per theme; every setting is a record of its own, and only what was changed is stored.

import { el } from "../app/dom.js";
import * as api from "../app/api.js";
import { t } from "../app/text.js";
import { head, load, panel, tabs } from "../app/ui.js";
import { makeForm, pageForm } from "../app/form.js";
import { policyChoices, policyFields } from "../app/policy.js";
import { toast } from "../app/toast.js";

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
	["defaults", null],
];

const path = id => `/api/v1/settings/${encodeURIComponent(id)}`;
const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/* Stores what differs. A setting without a value goes back to what is built in. */
async function store(before, after, known) {
	for (const key of known) {
		if (isSame(before[key], after[key])) continue;
		if (after[key] !== undefined) await api.change("PUT", path(key), { id: key, value: after[key] });
		else await api.change("DELETE", path(key));
	}
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

export async function show(page) {
	const [key, fields] = THEMES.find(([k]) => k === (page.args[0] ?? "")) ?? THEMES[0];
	const body = el("div", {});
	page.root.append(head({ title: t("settings.title"), about: t("settings.about." + (key || "general")) }), tabs(THEMES.map(([k]) => [k, t("settings.tab." + (k || "general"))]), "#/settings", key, t("settings.title")), body);
	await load(body, async () => {
		const values = Object.fromEntries((await api.all("/api/v1/settings", { signal: page.signal })).map(s => [s.id, s.value]));
		return [values, fields ?? policyFields(await policyChoices(api))];
	}, ([values, shown]) => {
		let before = fields ? values : values.device_defaults ?? {};
		return formPanel(t("settings.tab." + (key || "general")), shown, before, async after => {
			if (fields) {
				// Switches that were never touched are not stored.
				const known = fields.map(f => f.name).filter(name => before[name] !== undefined || !isSame(after[name], fields.find(f => f.name === name).initial ?? (fields.find(f => f.name === name).kind === "switch" ? false : undefined)));
				await store(before, after, known);
			} else {
				await api.change("PUT", path("device_defaults"), { id: "device_defaults", value: after });
			}
			before = after;
		});
	});
}

