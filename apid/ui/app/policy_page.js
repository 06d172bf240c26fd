// SPDX-License-Identifier: GPL-3.0-or-later
// The policy of a device or a group: its fields, its switches, the lists and categories it has off or on.

import { el, plain } from "./dom.js";
import * as api from "./api.js";
import { t } from "./text.js";
import { panel, told } from "./ui.js";
import { makeForm, pageForm } from "./form.js";
import { policyChoices, policyFields } from "./policy.js";
import { toast, undoable } from "./toast.js";

const { change, may, read } = api;

/* record: of a device or group, with its etag and path. target: "device:ID" or "group:ID". */
export async function showPolicy({ page, record, etag, path, target }, body) {
	const choices = await policyChoices(api);
	const form = makeForm(policyFields(choices), record, "policy");
	const shown = pageForm(form, {
		can: may("admin"), save: async value => {
			await change("PUT", path, value, { etag });
			toast(t("saved"));
			page.again();
		},
	});
	const sides = el("div", { class: "stack" }, await switchesPanel(target), await listsPanel(target, choices.lists), await categoriesPanel(target, choices.categories));
	body.append(el("div", { class: "grid two" },
		panel({ title: t("device.policy") }, el("div", { class: "stack" }, el("p", { class: "dim" }, t(target.startsWith("group:") ? "policy.about.group" : "policy.about")), shown)),
		sides));
}

/* The record of switches and lists that are off; it is made when it is needed. */
async function readPref(target) {
	const found = await api.all(`/api/v1/device-prefs?q=${encodeURIComponent(target)}`);
	return found.find(p => p.id === target);
}

// One after the other: each reads what the one before has stored.
let last = Promise.resolve();
const inTurn = work => (last = last.then(work, work));

/* patch: what changes of the record, by what it is. */
const setPref = (target, patch) => inTurn(async () => {
	const path = `/api/v1/device-prefs/${encodeURIComponent(target)}`, isThere = Boolean(await readPref(target));
	const old = isThere ? await read(path) : { data: { id: target } };
	return change("PUT", path, { ...old.data, ...patch(old.data) }, isThere ? { etag: old.etag } : { ifNone: true });
});

function prefSwitch(label, help, value, set) {
	const box = el("input", { type: "checkbox", role: "switch", checked: value, disabled: !may("admin") });
	box.addEventListener("change", async () => {
		const wanted = box.checked;
		box.disabled = true;
		try {
			await set(wanted);
			undoable(t(wanted ? "switched.on" : "switched.off", { name: label }), async () => { await set(!wanted); box.checked = !wanted; });
		} catch (error) {
			box.checked = !wanted;
			told(error);
		} finally {
			box.disabled = false;
			box.focus();
		}
	});
	return el("label", { class: "switch" }, box, el("span", { class: "text" }, label, help && el("span", { class: "dim small" }, help)));
}

async function switchesPanel(target) {
	const pref = await readPref(target);
	return panel({ title: t("device.switches") }, el("div", { class: "stack" }, ["offline_browser", "offline_vpn"].map(key =>
		prefSwitch(t("switch." + key), t("switch." + key + ".about"), Boolean(pref?.[key]), is => setPref(target, () => ({ [key]: is }))))));
}

async function listsPanel(target, lists) {
	const pref = await readPref(target);
	if (!lists.length) return panel({ title: t("device.lists") }, el("p", { class: "dim" }, t("device.lists.none")));
	return panel({ title: t("device.lists") }, el("div", { class: "stack" }, lists.map(list =>
		prefSwitch(plain(list.title || list.id, 60), list.kind && plain(list.kind, 40), !(pref?.lists_off ?? []).includes(list.id), is => setPref(target, now => {
			const off = new Set(now.lists_off ?? []);
			if (is) off.delete(list.id);
			else off.add(list.id);
			return { lists_off: [...off] };
		})))));
}

/* Each category: as usual, blocked, or let through. */
async function categoriesPanel(target, categories) {
	if (!categories.length) return null;
	const [kind, id] = [target.slice(0, target.indexOf(":")), target.slice(target.indexOf(":") + 1)];
	const prefs = new Map((await api.all(`/api/v1/category-prefs?${kind}=${encodeURIComponent(id)}`)).map(p => [p.category, p]));
	const line = category => {
		const usual = t("category.usual", { what: t("category." + (category.default ?? "allow")) });
		const value = () => (prefs.has(category.id) ? (prefs.get(category.id).blocked ? "block" : "allow") : "");
		const node = el("select", { class: "input auto", "aria-label": plain(category.name || category.id, 60), disabled: !may("admin") },
			[["", usual], ["block", t("category.block")], ["allow", t("category.allow")]].map(([v, l]) => el("option", { value: v, selected: v === value() }, l)));
		node.addEventListener("change", async () => {
			try {
				const wanted = node.value;
				await inTurn(() => setCategory(prefs, kind, id, category.id, wanted));
				toast(t("saved"));
			} catch (error) {
				node.value = value();
				told(error);
			}
		});
		return el("div", { class: "row" }, el("span", { class: "grow" }, plain(category.name || category.id, 60)), node);
	};
	return panel({ title: t("device.categories") }, el("div", { class: "stack tight" }, categories.map(line)));
}

async function setCategory(prefs, kind, id, category, wanted) {
	const old = prefs.get(category);
	if (!wanted) {
		if (old) await change("DELETE", `/api/v1/category-prefs/${encodeURIComponent(old.id)}`);
		prefs.delete(category);
		return;
	}
	const record = { ...(old ?? { [kind]: id, category }), blocked: wanted === "block" };
	prefs.set(category, old ? await change("PUT", `/api/v1/category-prefs/${encodeURIComponent(old.id)}`, record) : await change("POST", "/api/v1/category-prefs", record));
}
