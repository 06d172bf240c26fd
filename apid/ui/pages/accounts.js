// SPDX-License-Identifier: GPL-3.0-or-later
import { el, name } from "../app/dom.js";
import { change, get, me } from "../app/api.js";
import { t } from "../app/text.js";
import { button, failed, head, mark, told } from "../app/ui.js";
import { makeTable } from "../app/table.js";
import { makeForm } from "../app/form.js";
import { confirm, formDialog } from "../app/dialog.js";
import { toast } from "../app/toast.js";

const PATH = "/api/v1/admins";
const ROLES = ["viewer", "helper", "admin", "owner"];

/* groups: null is all. */
const groupsField = {
	name: "groups", kind: "custom", make(value) {
		const area = el("textarea", { class: "input mono", rows: 3, value: (value ?? []).join("\n"), spellcheck: "false", "aria-label": t("field.accounts.groups") });
		return { node: area, value: () => { const lines = area.value.split(/[\n,]/).map(l => l.trim()).filter(Boolean); return lines.length ? lines : null; } };
	},
};

function edit(account, table) {
	const form = makeForm([
		!account && { name: "name", kind: "text", required: true, max: 64 },
		{ name: "password", kind: "password", required: !account },
		{ name: "role", kind: "choice", required: true, choices: ROLES },
		groupsField,
	], account ? { role: account.role, groups: account.groups } : { role: "helper" }, "accounts");
	return formDialog({
		title: account ? t("accounts.edit", { name: account.name }) : t("accounts.new"), form,
		save: value => (account ? change("PATCH", `${PATH}/${encodeURIComponent(account.name)}`, value) : change("POST", PATH, value)),
	}).done.then(saved => {
		if (!saved) return;
		table.put(saved);
		toast(t("saved"));
	});
}

export async function show(page) {
	const table = makeTable({
		label: t("accounts.title"), key: a => a.name,
		columns: [
			{ title: t("field.name"), width: "minmax(0, 1.4fr)", sort: a => a.name.toLowerCase(), cell: a => name(a.name) },
			{ title: t("me.role"), width: "minmax(90px, .7fr)", sort: a => ROLES.indexOf(a.role), cell: a => t("role." + a.role) },
			{ title: t("me.groups"), width: "minmax(0, 1.4fr)", wide: true, cell: a => (a.groups ? name(a.groups.join(", ")) : t("me.groups.all")) },
			{ title: t("me.factor"), width: "minmax(110px, .7fr)", wide: true, sort: a => String(a.totp), cell: a => (a.totp ? mark(t("totp.on"), "good", "check") : mark(t("accounts.no.factor"), "warn")) },
		],
		text: a => `${a.name} ${a.role} ${(a.groups ?? []).join(" ")}`,
		onOpen: a => edit(a, table).catch(told),
		acts: a => a.name !== me().name && button("", {
			icon: "trash", kind: "quiet small", label: t("remove.label", { name: a.name }), onclick: async () => {
				if (!(await confirm({ title: t("remove.title", { name: a.name }), text: t("accounts.remove"), action: t("remove"), danger: true }))) return;
				await change("DELETE", `${PATH}/${encodeURIComponent(a.name)}`);
				table.remove(a.name);
				toast(t("removed", { name: a.name }));
			},
		}),
	});
	page.root.append(head({ title: t("accounts.title"), about: t("accounts.about"), actions: button(t("accounts.new"), { icon: "plus", kind: "main", "data-new": true, onclick: () => edit(null, table) }) }), table.node);
	try {
		table.add((await get(PATH, { signal: page.signal })).items);
		table.finish();
	} catch (error) {
		if (error.name === "AbortError") return;
		table.node.replaceWith(failed(error, page.again));
	}
}
