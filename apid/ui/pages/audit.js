// SPDX-License-Identifier: GPL-3.0-or-later
import { code, el, fill, name, plain } from "../app/dom.js";
import { get } from "../app/api.js";
import { ago, has, t, time } from "../app/text.js";
import { button, facts, failed, head, state } from "../app/ui.js";
import { makeTable, two } from "../app/table.js";
import { open } from "../app/dialog.js";

const PAGE = 200;

/* "words_add" → "added word", or as the text of its own says. */
export function actionText(action) {
	if (has("audit." + action)) return t("audit." + action);
	const [, thing, verb] = /^(.*)_(add|change|remove)$/.exec(action) ?? [];
	return has("audit.thing." + thing) ? t("audit.done." + verb, { what: t("audit.thing." + thing) }) : plain(action, 60).replace(/_/g, " ");
}

export const actorText = actor => actor.replace(/^admin:/, "");

/* Before and after, only what differs. */
function differences(before, after) {
	const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].sort();
	const text = value => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));
	return keys.filter(k => JSON.stringify(before?.[k]) !== JSON.stringify(after?.[k])).map(k => [plain(k, 60),
		el("span", {}, before?.[k] !== undefined && [el("del", { class: "bad" }, code(plain(text(before[k]), 400))), " "], after?.[k] !== undefined && el("ins", { class: "good" }, code(plain(text(after[k]), 400))))]);
}

function showRow(row) {
	const isObject = value => value && typeof value === "object" && !Array.isArray(value);
	open({
		title: actionText(row.action), wide: true,
		body: [
			facts([[t("audit.when"), time(row.at)], [t("audit.who"), name(actorText(row.actor))], [t("audit.from"), row.address && code(row.address)], [t("audit.what"), row.subject && name(row.subject)]]),
			(isObject(row.old) || isObject(row.new)) && el("div", { class: "stack tight" }, el("h3", {}, t("audit.changed")), facts(differences(isObject(row.old) ? row.old : {}, isObject(row.new) ? row.new : {}))),
		],
	});
}

export async function show(page) {
	const more = el("div", { class: "row end" });
	const table = makeTable({
		label: t("audit.title"), rowHeight: 56,
		columns: [
			{ title: t("audit.what"), width: "minmax(0, 2fr)", cell: r => two(actionText(r.action), name(r.subject ?? "")) },
			{ title: t("audit.who"), width: "minmax(0, .9fr)", cell: r => two(name(actorText(r.actor)), code(r.address ?? "")) },
			{ title: t("audit.when"), width: "minmax(76px, .6fr)", cell: r => el("span", { title: time(r.at) }, ago(r.at)) },
		],
		onOpen: showRow,
		text: r => `${r.actor} ${r.action} ${r.subject ?? ""} ${r.address ?? ""}`,
		empty: () => state({ icon: "audit", title: t("audit.empty") }),
	});
	page.root.append(head({ title: t("audit.title"), about: t("audit.about") }), table.node, more);
	async function loadMore(cursor) {
		const found = await get(`/api/v1/audit?limit=${PAGE}${cursor ? "&cursor=" + encodeURIComponent(cursor) : ""}`, { signal: page.signal });
		table.add(found.items);
		table.finish();
		fill(more, found.next && button(t("audit.older"), { icon: "down", onclick: () => loadMore(found.next) }));
	}
	try {
		await loadMore("");
	} catch (error) {
		if (error.name === "AbortError") return;
		table.node.replaceWith(failed(error, page.again));
	}
}
