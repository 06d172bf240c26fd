// SPDX-License-Identifier: GPL-3.0-or-later
// One device: what it may, how it connects, what is unblocked for it.

import { code, el, fill, icon, name, plain } from "../app/dom.js";
import * as api from "../app/api.js";
import { ago, bytes, t, time } from "../app/text.js";
import { button, facts, head, load, mark, note, panel, state, tabs } from "../app/ui.js";
import { makeForm } from "../app/form.js";
import { liveView } from "../app/live_view.js";
import { policyMarks } from "../app/policy.js";
import { showPolicy } from "../app/policy_page.js";
import { renewConfig, showEnrolment } from "../app/add_device.js";
import { unblock } from "../app/unblock.js";
import { confirm, formDialog, showSecret } from "../app/dialog.js";
import { toast, undoable } from "../app/toast.js";

const TABS = ["", "activity", "policy", "sites"];
const { change, get, may, read } = api;

export async function show(page) {
	const [id, tab = ""] = page.args;
	const path = `/api/v1/devices/${encodeURIComponent(id)}`, base = `#/devices/${encodeURIComponent(id)}`;
	const { data: device, etag } = await read(path, { signal: page.signal });
	const shown = plain(device.name || device.id, 60);
	const context = { page, device, etag, path };
	const body = el("div", { class: "stack" });
	page.root.append(
		head({ title: name(device.name || device.id), crumb: ["#/devices", t("devices.title")], about: el("span", {}, code(device.id)), actions: may("admin") && actions(context, shown) }),
		tabs(TABS.map(key => [key, t("device.tab." + (key || "overview"))]), base, TABS.includes(tab) ? tab : "", t("device.tabs")),
		body);
	if (tab === "policy") await showPolicy({ page, record: device, etag, path, target: "device:" + device.id }, body);
	else if (tab === "activity") body.append(liveView(page, { device: device.id }));
	else if (tab === "sites") await showSites(context, body);
	else showOverview(context, body);
}

function actions({ page, device, path }, shown) {
	const isOff = device.active === false;
	return [
		button(t(isOff ? "device.resume" : "device.suspend"), {
			icon: isOff ? "play" : "pause", onclick: async () => {
				await change("PATCH", path, { active: isOff });
				undoable(t(isOff ? "device.resumed" : "device.suspended", { name: shown }), async () => { await change("PATCH", path, { active: !isOff }); page.again(); });
				page.again();
			},
		}),
		button("", {
			icon: "trash", kind: "danger", label: t("remove.label", { name: shown }), onclick: async () => {
				if (!(await confirm({ title: t("remove.title", { name: shown }), text: t("device.remove"), action: t("remove"), danger: true }))) return;
				await change("DELETE", path);
				toast(t("removed", { name: shown }));
				page.open("/devices");
			},
		}),
	];
}

/* ---- overview ---- */

function statusPanel({ page, path, device }) {
	const place = el("div", {});
	const refresh = async () => {
		const s = await get(path + "/status", { signal: page.signal });
		fill(place, facts([
			[t("device.entitled"), s.entitled ? mark(t("yes"), "good") : mark(t("reason." + s.reason) === "reason." + s.reason ? s.reason : t("reason." + s.reason), "bad")],
			[t("device.online"), s.online === null ? mark(t("unknown")) : s.online ? mark(t("online"), "good") : mark(t("offline"))],
			[t("device.handshake"), s.handshake_at ? el("span", { title: time(s.handshake_at) }, ago(s.handshake_at)) : t("never")],
			[t("device.endpoint"), s.endpoint && code(s.endpoint)],
			...(s.gateway ? [[t("device.gateway"), code(s.gateway)]] : []),
			[t("device.sent"), s.rx_bytes !== null ? `${bytes(s.rx_bytes)} ↑  ${bytes(s.tx_bytes)} ↓` : null],
			[t("field.expires_at"), device.expires_at && time(device.expires_at)],
		]));
	};
	load(place, async () => { await refresh(); return [...place.childNodes]; }, kept => kept);
	const timer = setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, 5000);
	page.onleave(() => clearInterval(timer));
	return panel({ title: t("device.status") }, place);
}

function connectionPanel({ page, device, path }) {
	const can = may("admin");
	const work = f => async () => { await f(); page.again(); };
	return panel({ title: t("device.connection") }, el("div", { class: "stack" },
		facts([
			[t("field.addresses"), el("ul", { class: "chips" }, (device.addresses ?? []).map(a => el("li", {}, code(a))))],
			[t("field.tunnel"), device.tunnel && code(device.tunnel)],
			[t("field.public_key"), device.public_key ? code(device.public_key) : mark(t("device.new"), "warn")],
		]),
		!device.public_key && note(t("device.new.about"), "warn"),
		can && el("div", { class: "pile" },
			button(t("config.get"), { icon: "qr", kind: device.public_key ? "" : "main", onclick: work(() => renewConfig(device)) }),
			el("a", { class: "button", href: "/api/v1/ca.pem", download: "culvert-ca.pem" }, icon("download"), t("device.ca")),
			button(t("enrol.get"), { icon: "devices", onclick: () => showEnrolment(device) }),
			button(t("device.token"), {
				icon: "keys", onclick: async () => {
					const { token } = await change("POST", path + "/token");
					await showSecret({ title: t("device.token"), text: t("device.token.about"), secret: token });
				},
			}),
			button(t("device.tokens.end"), {
				kind: "quiet", onclick: async () => {
					if (!(await confirm({ title: t("device.tokens.end"), text: t("device.tokens.about"), action: t("device.tokens.end"), danger: true }))) return;
					await change("DELETE", path + "/token");
					toast(t("device.tokens.ended"));
				},
			}))));
}

function aboutPanel({ page, device, etag, path }) {
	const edit = async () => {
		const health = await get("/api/v1/health", { once: true, quiet: true });
		const tunnels = (health.gateways ?? []).flatMap(g => g.tunnels);
		const form = makeForm([
			{ name: "name", kind: "text", max: 256 },
			{ name: "group", kind: "pick", of: "/api/v1/groups" },
			{ name: "user", kind: "pick", of: "/api/v1/users", many: true },
			{ name: "expires_at", kind: "when" },
			{ name: "subscription", kind: "text" },
			...(tunnels.length > 1 ? [{ name: "tunnel", kind: "text", max: 32, required: true }] : []),
			{ name: "addresses", kind: "texts", rows: 2 },
		], device, "device");
		// In another tunnel it gets other addresses.
		const placed = value => (value.tunnel !== device.tunnel ? { ...value, addresses: undefined } : value);
		const saved = await formDialog({ title: t("device.edit"), form, save: value => change("PUT", path, placed(value), { etag }) }).done;
		if (saved) {
			toast(t("saved"));
			page.again();
		}
	};
	return panel({ title: t("device.about"), actions: may("admin") && button(t("edit"), { icon: "edit", kind: "small", onclick: edit }) },
		facts([
			[t("field.group"), device.group ? el("a", { href: `#/groups/${encodeURIComponent(device.group)}` }, name(device.group)) : t("none")],
			[t("field.user"), device.user ? name(device.user) : t("none")],
			[t("field.subscription"), device.subscription && code(device.subscription)],
			[t("device.policy"), policyMarks(device)],
		]), el("p", { class: "after" }, el("a", { href: `#/explain?device=${encodeURIComponent(device.id)}&url=` }, t("device.explain")), " · ", el("a", { href: `#/report/day?device=${encodeURIComponent(device.id)}` }, t("nav.report"))));
}

function showOverview(context, body) {
	body.append(el("div", { class: "grid" }, statusPanel(context), connectionPanel(context), aboutPanel(context)));
}

/* ---- websites unblocked or blocked for it ---- */

async function showSites({ page, device }, body) {
	const place = el("div", {});
	const draw = () => load(place, () => api.all(`/api/v1/site-overrides?device=${encodeURIComponent(device.id)}`, { signal: page.signal }), found => {
		const now = Date.now();
		const current = found.filter(o => !o.until || o.until > now);
		if (!current.length) return state({ icon: "websites", title: t("override.empty"), text: t("override.empty.about") });
		return el("ul", { class: "feed" }, current.map(o => el("li", {},
			mark(t("verdict." + (o.action === "allow" ? "allow" : "deny")), o.action === "allow" ? "good" : "bad"),
			code(o.pattern, { class: "grow ellipsis" }),
			el("span", { class: "dim small" }, o.until ? t("until", { time: ago(o.until) }) : t("until.ever")),
			may("helper") && button("", { icon: "trash", kind: "quiet small", label: t("remove.label", { name: plain(o.pattern, 40) }), onclick: async () => {
				await change("DELETE", `/api/v1/site-overrides/${encodeURIComponent(o.id)}`);
				undoable(t("removed", { name: plain(o.pattern, 40) }), async () => { await change("PUT", `/api/v1/site-overrides/${encodeURIComponent(o.id)}`, o); draw(); });
				draw();
			} }))));
	});
	body.append(panel({
		title: t("override.title"),
		actions: may("helper") && button(t("override.new"), { icon: "plus", kind: "main small", "data-new": true, onclick: async () => { if (await unblock(device)) { toast(t("override.made")); draw(); } } }),
	}, place));
	await draw();
}
