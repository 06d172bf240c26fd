// SPDX-License-Identifier: GPL-3.0-or-later
// Lists: where they come from, and what syncd has made of them.

import { code, el, fill, name, plain } from "../app/dom.js";
import { all, change, get, may, me } from "../app/api.js";
import { ago, number, t, time } from "../app/text.js";
import { button, facts, head, load, mark, note, panel } from "../app/ui.js";
import { edit, records, remove } from "../app/records.js";
import { two } from "../app/table.js";
import { toast, undoable } from "../app/toast.js";

const ASK_MS = 2000;
const PATH = "/api/v1/list-sources";

const fields = list => [
	{ name: "title", kind: "text", max: 256 },
	!list && { name: "id", kind: "text", max: 64 },
	{ name: "source", kind: "text", required: true, max: 2048, placeholder: "https://lists.example/ads.txt" },
	{ name: "default_on", kind: "switch", initial: true },
	{ name: "subtree", kind: "switch" },
	{ kind: "group", more: true, title: t("more"), fields: [
		{ name: "kind", kind: "choice", choices: ["adblock", "general", "maps", "gifs", "app_urls"] },
		{ name: "refresh_s", kind: "number", min: 0, placeholder: "86400" },
		{ name: "by_address", kind: "switch", off: "absent" },
		{ name: "strict_address", kind: "switch", off: "absent" },
		{ name: "https_paths_skip", kind: "switch", off: "absent" },
	] },
];

/* What syncd says of a list; now may be undefined: it has not heard of it. */
function stateMark(now) {
	if (!now) return mark(t("list.waiting"), "warn", "clock");
	if (now.pinned_at) return mark(t("list.held"), "accent", "pause");
	if (now.error) return mark(t(now.in_force_at ? "list.old" : "list.failed"), now.in_force_at ? "warn" : "bad", "warning");
	if (!now.in_force_at) return mark(t("list.coming"), "warn", "clock");
	return mark(t("list.good"), "good", "check");
}

export async function syncNow(list) {
	const { lists } = await change("POST", "/api/v1/sync", list ? { list } : {});
	toast(t("sync.started", { n: lists }));
}

export const canSync = () => may("admin") && !me().groups;

export async function show(page) {
	if (page.args.length) return showOne(page, page.args[0]);
	const states = new Map();
	const ask = async () => { for (const l of await all("/api/v1/lists", { signal: page.signal })) states.set(l.id, l); };
	await ask();
	const table = await records(page, {
		scope: "lists", path: PATH, slug: "title", title: l => l.title || l.id, rowHeight: 58, fields, bulk: true, removable: false,
		href: l => `#/lists/${encodeURIComponent(l.id)}`,
		actions: canSync() && button(t("sync.now"), { icon: "sync", onclick: () => syncNow() }),
		columns: [
			{ title: t("field.title"), width: "minmax(0, 1.6fr)", sort: l => (l.title || l.id).toLowerCase(), cell: l => two(name(l.title || l.id), code(l.source)) },
			{ title: t("column.state"), width: "minmax(138px, .8fr)", cell: l => stateMark(states.get(l.id)) },
			{ title: t("list.entries"), width: "minmax(80px, .6fr)", end: true, wide: true, sort: l => states.get(l.id)?.count, cell: l => number(states.get(l.id)?.count) },
			{ title: t("list.fetched"), width: "minmax(100px, .8fr)", wide: true, sort: l => states.get(l.id)?.fetched_at, cell: l => { const at = states.get(l.id)?.fetched_at; return at ? el("span", { title: time(at) }, ago(at)) : el("span", { class: "dim" }, t("never")); } },
			{ title: t("lists.usual"), width: "minmax(70px, .5fr)", wide: true, sort: l => String(l.default_on), cell: l => (l.default_on === false ? t("lists.off") : t("lists.on")) },
		],
	});
	const timer = setInterval(() => {
		if (document.hidden) return;
		const before = JSON.stringify([...states]);
		ask().then(() => { if (JSON.stringify([...states]) !== before) table.refresh(); }, () => {});
	}, ASK_MS);
	page.onleave(() => clearInterval(timer));
}

/* ---- one list ---- */

const rollback = id => `/api/v1/lists/${encodeURIComponent(id)}/rollback`;
const titleOf = list => plain(list.title || list.id, 40);

async function release(list, after) {
	await change("DELETE", rollback(list.id));
	toast(t("list.released", { name: titleOf(list) }));
	after();
}

async function rollBack(list, version, after) {
	await change("POST", rollback(list.id), { version: version.version });
	undoable(t("list.rolled.back", { name: titleOf(list), when: time(version.since) }), () => change("DELETE", rollback(list.id)).then(after));
	after();
}

/* What was good of it, newest first, and the way back there. */
function versionList(list, state, can, after) {
	const versions = state?.versions ?? [];
	if (!versions.length) return el("p", { class: "dim" }, t("list.versions.none"));
	return el("div", { class: "stack" },
		state.pinned_at && note(el("div", { class: "row" }, el("span", { class: "grow" }, t("list.held.note", { when: time(state.pinned_at) })), can && button(t("list.release"), { icon: "play", kind: "small", onclick: () => release(list, after) })), "", "pause"),
		el("ul", { class: "feed" }, versions.map(v => el("li", {},
			el("span", { class: "grow two" }, el("span", {}, time(v.since)), el("span", { class: "dim small" }, t("list.of.entries", { n: v.count ?? 0 }), " · ", code(v.version.slice(0, 12), { title: v.version }))),
			v.version === state.version ? mark(t("list.in.use"), "good", "check")
				: can && button(t("list.roll.back"), { kind: "small", "aria-label": t("list.roll.back.to", { when: time(v.since) }), onclick: () => rollBack(list, v, after) })))));
}

async function showOne(page, id) {
	const list = await get(`${PATH}/${encodeURIComponent(id)}`, { signal: page.signal });
	const kind = { scope: "lists", path: PATH, fields, title: l => l.title || l.id, after: () => page.open("/lists"), restored: () => page.open(`/lists/${encodeURIComponent(id)}`) };
	const now = el("div", {}), versions = el("div", {});
	const can = may("admin") && !me().groups;
	let drawn = "";
	const draw = async () => {
		const state = (await all(`/api/v1/lists?q=${encodeURIComponent(id)}`, { signal: page.signal })).find(l => l.id === id);
		// What somebody is about to press stays where it is: drawn anew is only what has changed.
		const past = JSON.stringify([state?.versions, state?.version, state?.pinned_at]);
		if (past !== drawn) fill(versions, versionList(list, state, can, () => draw().catch(() => {})));
		drawn = past;
		const when = at => at && el("span", { title: time(at) }, ago(at));
		fill(now, facts([
			[t("column.state"), stateMark(state)], [t("list.error"), state?.error && el("span", { class: "bad" }, plain(state.error, 500))],
			[t("list.entries"), state && number(state.count)], [t("list.urls"), state?.url_count ? number(state.url_count) : null], [t("list.repeated"), state?.repeated ? number(state.repeated) : null],
			[t("list.held"), state?.pinned_at && el("span", {}, t("list.since"), " ", when(state.pinned_at))],
			[t("list.tried"), when(state?.tried_at)], [t("list.fetched"), when(state?.fetched_at)], [t("list.changed"), when(state?.changed_at)], [t("list.in.force"), when(state?.in_force_at)],
			[t("list.skipped"), state?.skipped ? el("ul", { class: "chips" }, (state.skips ?? []).map(s => el("li", { class: "chip" }, `${plain(s.reason, 40)}: ${number(s.count)}`, s.first_line ? el("span", { class: "dim" }, " ", t("list.line", { n: s.first_line })) : null))) : null],
		]));
	};
	page.root.append(
		head({
			title: name(list.title || list.id), crumb: ["#/lists", t("lists.title")], about: code(list.source), actions: can && [
				button(t("sync.now"), { icon: "sync", onclick: () => syncNow(id) }),
				button(t("edit"), { icon: "edit", onclick: async () => { if (await edit(kind, list)) { toast(t("saved")); page.again(); } } }),
				button("", { icon: "trash", kind: "danger", label: t("remove.label", { name: plain(list.title || id, 40) }), onclick: () => remove(kind, list) }),
			],
		}),
		el("div", { class: "grid" }, panel({ title: t("list.now") }, now), panel({ title: t("list.versions") }, versions), panel({ title: t("device.about") }, facts([
			[t("field.id"), code(list.id)], [t("lists.usual"), list.default_on === false ? t("lists.off") : t("lists.on")], [t("field.kind"), list.kind && name(list.kind)],
			[t("field.subtree"), t(list.subtree ? "yes" : "no")], [t("field.by_address"), t(list.by_address ? "yes" : "no")], [t("field.refresh_s"), list.refresh_s && number(list.refresh_s)],
		]))));
	await load(now, async () => { await draw(); return [...now.childNodes]; }, nodes => nodes);
	const timer = setInterval(() => { if (!document.hidden) draw().catch(() => {}); }, ASK_MS);
	page.onleave(() => clearInterval(timer));
}

