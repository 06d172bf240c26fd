// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Pages that are a list of records with a form each:
 *     records(page, {scope: "words", path: "/api/v1/words", columns, fields, name: row => row.term})
 * scope: where its texts are (words.title, words.about, words.new, words.empty, field.words.…). fields: of the
 * form, or record → fields. key: the record's own name in its address, "id". title: of a record, for people.
 * href: row → where a record has a page of its own. slug: the field that a new record's id is made from.
 * bulk: it may go out to a file and come in from one. undo: false where what goes takes more with it, which is asked before. A page of several such lists is
 * recordTabs(page, "dns", [options, …]): the scopes are its tabs, with the texts dns.title, dns_rules.tab, ….
 */

import { el, name, plain } from "./dom.js";
import { all, change, may, me, read } from "./api.js";
import { number, t } from "./text.js";
import { button, failed, head, state, tabs, told } from "./ui.js";
import { makeTable } from "./table.js";
import { makeForm } from "./form.js";
import { confirm, formDialog } from "./dialog.js";
import { bulkButton } from "./bulk.js";
import { toast, undoable } from "./toast.js";

/* An id out of a name: "Anna's phone" → "annas-phone". */
export function slug(text) {
	return text.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f'’]/g, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 48);
}

const address = (path, id) => `${path}/${encodeURIComponent(id)}`;

/* Makes a record whose id is made of its name; another one where that is taken. */
export async function create(path, body, { key = "id", from } = {}) {
	if (body[key] || !from) return change("POST", path, body);
	const base = slug(from);
	for (let n = 1; base && n < 20; n++) {
		try {
			return await change("POST", path, { ...body, [key]: n === 1 ? base : `${base}-${n}` });
		} catch (error) {
			if (error.status !== 409 && error.status !== 412) throw error;
		}
	}
	return change("POST", path, body);
}

/* The form of one record, in a dialog. Resolves to what was stored, or to undefined. */
export async function edit({ scope, path, key = "id", fields, slug: from, wide, title }, row) {
	let record = row ?? {}, etag;
	if (row) {
		const answer = await read(address(path, row[key]));
		record = answer.data;
		etag = answer.etag;
	}
	const form = makeForm(typeof fields === "function" ? fields(row ? record : null) : fields, record, scope);
	return formDialog({
		title: row ? t(scope + ".edit", { name: plain(title(row), 60) }) : t(scope + ".new"), form, wide,
		async save(value) {
			if (row) return change("PUT", address(path, row[key]), value, { etag });
			return create(path, value, { key, from: from && value[from] });
		},
	}).done;
}

/* Takes a record away, with a way back, or after a question. */
export async function remove({ scope, path, key = "id", undo = true, title, after, restored }, row) {
	const shown = plain(title(row), 60);
	if (!undo && !(await confirm({ title: t("remove.title", { name: shown }), text: t(scope + ".remove"), action: t("remove"), danger: true }))) return;
	const at = address(path, row[key]);
	let last;
	try {
		// What comes back by undo is what was there last, not what this page once read.
		last = undo && (await read(at));
		await change("DELETE", at, undefined, { etag: last?.etag });
	} catch (error) {
		if (error.status !== 404) throw error;
		after(row);
		return toast(t("removed.already", { name: shown }));
	}
	after(row);
	if (!undo) return toast(t("removed", { name: shown }));
	return undoable(t("removed", { name: shown }), async () => restored(await change("PUT", at, last.data, { ifNone: true })));
}

export async function records(page, options) {
	const { scope, path, key = "id", columns, role = "admin", href, filters, text, intro, actions = [], sorted, tools } = options;
	const title = options.title ?? (row => row.name || row[key]);
	const can = may(role);
	const kind = { ...options, key, title, after: row => table.remove(row[key]), restored: row => table.put(row) };
	const work = f => f().catch(told);
	const openRow = row => work(async () => {
		const saved = await edit(kind, row);
		if (!saved) return;
		table.put(saved);
		toast(t("saved"));
	});
	const make = () => work(async () => {
		const saved = await edit(kind, null);
		if (!saved) return;
		table.put(saved);
		toast(t(scope + ".made"));
	});
	const makeButton = can && options.fields && button(t(scope + ".new"), { icon: "plus", kind: "main", "data-new": true, onclick: make });
	const table = makeTable({
		label: t(options.section ? scope + ".tab" : scope + ".title"), columns, key: row => row[key], href, filters, sorted, tools,
		onOpen: !href && can && options.fields ? openRow : undefined,
		text: text ?? (row => `${row[key]} ${title(row)}`),
		acts: can && options.removable !== false ? row => button("", { icon: "trash", kind: "quiet small", label: t("remove.label", { name: plain(title(row), 40) }), onclick: () => remove(kind, row) }) : null,
		empty: () => state({ icon: options.icon ?? scope, title: t(scope + ".empty"), text: t(scope + ".empty.about"), actions: can && options.fields && button(t(scope + ".new"), { icon: "plus", kind: "main", onclick: make }) }),
	});
	const over = options.section ?? scope;
	page.root.append(head({ title: t(over + ".title"), about: t(scope + ".about"), actions: [actions, options.bulk && may("admin") && !me().groups && bulkButton(path.slice("/api/v1/".length), page.again), makeButton] }), ...(options.tabs ? [options.tabs] : []), ...(intro ? [intro] : []), table.node);
	try {
		await all(path, { signal: page.signal, onPage: found => table.add(found) });
		table.finish();
	} catch (error) {
		if (error.name === "AbortError") return table;
		table.node.replaceWith(failed(error, page.again));
	}
	return table;
}

export function recordTabs(page, section, kinds) {
	const current = kinds.find(k => k.scope === page.args[0]) ?? kinds[0];
	const bar = tabs(kinds.map((k, i) => [i ? k.scope : "", t(k.scope + ".tab")]), "#/" + section, current === kinds[0] ? "" : current.scope, t(section + ".title"));
	return current.show ? current.show(page, bar) : records(page, { ...current, section, tabs: bar, icon: current.icon ?? section });
}

/* Columns that many have. */
export const nameColumn = (key = "id") => ({ title: t("column.name"), width: "minmax(0, 2fr)", sort: row => (row.name || row[key]).toLowerCase(), cell: row => el("span", { class: "two" }, name(row.name || row[key]), name(row[key], { class: "dim mono" })) });
export const numberColumn = (title, field) => ({ title, width: "minmax(60px, .6fr)", end: true, wide: true, sort: row => row[field], cell: row => number(row[field]) });
