// SPDX-License-Identifier: GPL-3.0-or-later
// Sessions, tokens of programs, keys of the provisioning API: what opens this gateway.

import { code, el, name, plain } from "../app/dom.js";
import { change, get, may, me } from "../app/api.js";
import { ago, t, time } from "../app/text.js";
import { button, failed, head, mark, state, tabs } from "../app/ui.js";
import { makeTable, two } from "../app/table.js";
import { makeForm } from "../app/form.js";
import { confirm, formDialog, showSecret } from "../app/dialog.js";
import { toast } from "../app/toast.js";

const SCOPES = ["devices", "policy", "appeals", "system", "metrics"];

/* "Chrome 140 on Linux", as well as it can be told. */
function agentText(agent) {
	const browser = /(Firefox|Edg|OPR|Chrome|Safari|curl|python)[/-]?(\d+)?/i.exec(agent ?? ""), system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent ?? "");
	const names = { Edg: "Edge", OPR: "Opera" };
	return browser ? `${names[browser[1]] ?? browser[1]}${browser[2] ? " " + browser[2] : ""}${system ? ` · ${system[1]}` : ""}` : plain(agent || t("unknown"), 60);
}

async function list(page, path, table) {
	try {
		const found = await get(path, { signal: page.signal });
		table.add(found.items);
		table.finish();
	} catch (error) {
		if (error.name === "AbortError") return;
		table.node.replaceWith(failed(error, page.again));
	}
}

function sessions(page) {
	const end = async (s, table) => {
		await change("DELETE", `/api/v1/sessions/${encodeURIComponent(s.id)}`);
		table.remove(s.id);
		toast(t("sessions.ended"));
	};
	const table = makeTable({
		label: t("sessions.tab"), rowHeight: 58, sorted: [2, -1],
		columns: [
			{ title: t("login.user"), width: "minmax(0, 1.2fr)", sort: s => s.admin, cell: s => two(el("span", {}, name(s.admin), s.is_current || s.current ? [" ", mark(t("sessions.this"), "accent")] : null), code(s.address)) },
			{ title: t("sessions.browser"), width: "minmax(0, 1.4fr)", wide: true, cell: s => el("span", { title: plain(s.agent, 300) }, agentText(s.agent)) },
			{ title: t("sessions.seen"), width: "minmax(96px, .8fr)", sort: s => s.seen_at, cell: s => el("span", { title: time(s.seen_at) }, ago(s.seen_at)) },
			{ title: t("sessions.since"), width: "minmax(96px, .8fr)", wide: true, sort: s => s.created_at, cell: s => time(s.created_at) },
		],
		text: s => `${s.admin} ${s.address} ${s.agent}`,
		actsWidth: 74, acts: s => button(t("sessions.end"), { kind: "small quiet", onclick: () => end(s, table), "aria-label": t("sessions.end.of", { name: plain(s.admin, 64), address: plain(s.address, 64) }) }),
	});
	list(page, "/api/v1/sessions", table);
	return { node: table.node };
}

function tokens(page) {
	const make = async () => {
		const form = makeForm([
			{ name: "name", kind: "text", required: true, max: 64 },
			{ name: "role", kind: "choice", required: true, choices: ["viewer", "helper", "admin", "owner"].slice(0, ["viewer", "helper", "admin", "owner"].indexOf(me().role) + 1) },
			{ name: "scopes", kind: "checks", choices: SCOPES.flatMap(s => [s + ":read", s]).filter(s => s !== "metrics"), keepEmpty: true },
			{ name: "expires_at", kind: "when" },
			{ name: "groups", kind: "texts", rows: 2 },
		], { role: "viewer" }, "tokens");
		const made = await formDialog({ title: t("tokens.new"), form, save: value => change("POST", "/api/v1/tokens", value) }).done;
		if (!made) return;
		table.put(made);
		await showSecret({ title: t("tokens.made"), text: t("tokens.made.about"), secret: made.token });
	};
	const table = makeTable({
		label: t("tokens.tab"), rowHeight: 58,
		columns: [
			{ title: t("field.name"), width: "minmax(0, 1.2fr)", sort: k => k.name, cell: k => two(name(k.name), name(k.admin)) },
			{ title: t("tokens.scopes"), width: "minmax(0, 2fr)", wide: true, cell: k => el("ul", { class: "chips" }, (k.scopes ?? []).map(s => el("li", { class: "chip" }, plain(s, 40)))) },
			{ title: t("sessions.seen"), width: "minmax(96px, .8fr)", sort: k => k.used_at, cell: k => ago(k.used_at) },
			{ title: t("field.expires_at"), width: "minmax(96px, .8fr)", wide: true, sort: k => k.expires_at, cell: k => (k.expires_at ? time(k.expires_at) : t("never")) },
		],
		empty: () => state({ icon: "keys", title: t("tokens.empty"), text: t("tokens.empty.about") }),
		actsWidth: 74, acts: k => button(t("sessions.end"), { kind: "small quiet", "aria-label": t("remove.label", { name: plain(k.name, 40) }), onclick: async () => {
			if (!(await confirm({ title: t("tokens.end", { name: plain(k.name, 40) }), text: t("tokens.end.about"), action: t("sessions.end"), danger: true }))) return;
			await change("DELETE", `/api/v1/tokens/${encodeURIComponent(k.id)}`);
			table.remove(k.id);
		} }),
	});
	list(page, "/api/v1/tokens", table);
	return { node: table.node, action: button(t("tokens.new"), { icon: "plus", kind: "main", "data-new": true, onclick: make }) };
}

function provision(page) {
	const tell = made => showSecret({ title: t("provision.made"), text: t("provision.made.about"), secret: made.key });
	const path = k => `/api/v1/provision-keys/${encodeURIComponent(k.name)}`;
	const make = async () => {
		const form = makeForm([{ name: "name", kind: "text", required: true, max: 64 }], {}, "provision");
		const made = await formDialog({ title: t("provision.new"), form, save: value => change("POST", "/api/v1/provision-keys", value) }).done;
		if (!made) return;
		table.put(made);
		await tell(made);
	};
	const table = makeTable({
		label: t("provision.tab"), key: k => k.name,
		columns: [
			{ title: t("field.name"), width: "minmax(0, 1.6fr)", sort: k => k.name, cell: k => name(k.name) },
			{ title: t("sessions.since"), wide: true, cell: k => time(k.created_at) },
			{ title: t("sessions.seen"), cell: k => ago(k.used_at) },
		],
		empty: () => state({ icon: "keys", title: t("provision.empty"), text: t("provision.empty.about") }),
		actsWidth: 140, acts: k => [
			button(t("provision.rotate"), { kind: "small quiet", onclick: async () => {
				if (!(await confirm({ title: t("provision.rotate.title", { name: plain(k.name, 40) }), text: t("provision.rotate.about"), action: t("provision.rotate"), danger: true }))) return;
				await tell(await change("POST", path(k) + "/rotate"));
			} }),
			button("", { icon: "trash", kind: "quiet small", label: t("remove.label", { name: plain(k.name, 40) }), onclick: async () => {
				if (!(await confirm({ title: t("remove.title", { name: plain(k.name, 40) }), text: t("provision.rotate.about"), action: t("remove"), danger: true }))) return;
				await change("DELETE", path(k));
				table.remove(k.name);
			} }),
		],
	});
	list(page, "/api/v1/provision-keys", table);
	return { node: table.node, action: button(t("provision.new"), { icon: "plus", kind: "main", "data-new": true, onclick: make }) };
}

export function show(page) {
	const kinds = [["", "sessions", sessions], ["tokens", "tokens", tokens], ...(may("admin") && !me().groups ? [["provision", "provision", provision]] : [])];
	const [key, scope, make] = kinds.find(k => k[0] === (page.args[0] ?? "")) ?? kinds[0];
	const { node, action } = make(page);
	page.root.append(head({ title: t("keys_page.title"), about: t(scope + ".about"), actions: action }), tabs(kinds.map(k => [k[0], t(k[1] + ".tab")]), "#/keys", key, t("keys_page.title")), node);
}

