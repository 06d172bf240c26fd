// SPDX-License-Identifier: GPL-3.0-or-later
import { code, el, name, plain } from "../app/dom.js";
import { change, may, read } from "../app/api.js";
import { t } from "../app/text.js";
import { button, head } from "../app/ui.js";
import { makeForm } from "../app/form.js";
import { formDialog } from "../app/dialog.js";
import { nameColumn, records } from "../app/records.js";
import { policyMarks } from "../app/policy.js";
import { showPolicy } from "../app/policy_page.js";
import { toast } from "../app/toast.js";

export async function show(page) {
	if (page.args.length) return showOne(page, page.args[0]);
	return records(page, {
		scope: "groups", path: "/api/v1/groups", slug: "name", undo: false, rowHeight: 58,
		href: g => `#/groups/${encodeURIComponent(g.id)}`,
		columns: [nameColumn(), { title: t("device.policy"), width: "minmax(0, 3fr)", wide: true, cell: g => policyMarks(g) }],
		fields: [{ name: "name", kind: "text", required: true, max: 256 }, { name: "id", kind: "text", max: 64 }],
	});
}

async function showOne(page, id) {
	const path = `/api/v1/groups/${encodeURIComponent(id)}`;
	const { data: group, etag } = await read(path, { signal: page.signal });
	const rename = async () => {
		const form = makeForm([{ name: "name", kind: "text", max: 256 }], group, "groups");
		if (await formDialog({ title: t("groups.edit", { name: plain(group.name || id, 60) }), form, save: value => change("PUT", path, value, { etag }) }).done) {
			toast(t("saved"));
			page.again();
		}
	};
	page.root.append(head({ title: name(group.name || id), crumb: ["#/groups", t("groups.title")], about: el("span", {}, code(id)), actions: may("admin") && button(t("groups.rename"), { icon: "edit", onclick: rename }) }));
	await showPolicy({ page, record: group, etag, path, target: "group:" + id }, page.root);
}
