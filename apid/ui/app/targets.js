// SPDX-License-Identifier: GPL-3.0-or-later
// For whom a record is: everybody, a group or a device.

import { el, plain } from "./dom.js";
import { all } from "./api.js";
import { t } from "./text.js";
import { told } from "./ui.js";

/* Three choices and, beside them, which one. value: {kind: "", "group" or "device", id}. */
function targetPart(value) {
	const kind = el("select", { class: "input auto", "aria-label": t("field.scope") }, [["", t("scope.all")], ["group", t("scope.group")], ["device", t("scope.device")]].map(([v, l]) => el("option", { value: v, selected: v === value.kind }, l)));
	const list = el("datalist", { id: "targets-" + Math.random().toString(36).slice(2) });
	const which = el("input", { class: "input", type: "text", value: value.id ?? "", list: list.id, autocomplete: "off", spellcheck: "false", "aria-label": t("scope.which") });
	const row = el("div", { class: "row" }, kind, el("div", { class: "grow" }, which, list));
	const ask = async () => {
		if (!kind.value) return;
		try {
			const found = await all(`/api/v1/${kind.value}s?q=${encodeURIComponent(which.value)}`, { limit: 20, max: 20 });
			list.replaceChildren(...found.map(r => el("option", { value: r.id, label: plain(r.name ?? "") })));
		} catch (error) {
			told(error);
		}
	};
	const draw = () => { which.hidden = !kind.value; };
	kind.addEventListener("change", () => { which.value = ""; draw(); ask(); });
	which.addEventListener("input", ask);
	which.addEventListener("focus", ask);
	draw();
	return { node: row, read: () => ({ kind: kind.value, id: which.value.trim() }) };
}

/* A field "device:ID" or "group:ID", absent for everybody. */
export const scopeField = (name = "scope") => ({
	name, kind: "custom", make(value) {
		const at = (value ?? "").indexOf(":");
		const part = targetPart(at < 0 ? { kind: "" } : { kind: value.slice(0, at), id: value.slice(at + 1) });
		return { node: part.node, value: () => { const { kind, id } = part.read(); return kind ? `${kind}:${id}` : undefined; } };
	},
});

/* The same for records with two fields, device and group: two fields of a form that are drawn as one. */
export function targetFields() {
	let part;
	const read = wanted => () => { const { kind, id } = part.read(); return kind === wanted ? id : undefined; };
	return [
		{ name: "device", kind: "custom", label: t("field.scope"), make(_, record) { part = targetPart(record.device ? { kind: "device", id: record.device } : record.group ? { kind: "group", id: record.group } : { kind: "" }); return { node: part.node, value: read("device") }; } },
		{ name: "group", kind: "custom", label: "", make: () => ({ node: el("span", { hidden: true }), value: read("group") }) },
	];
}
