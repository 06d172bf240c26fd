// SPDX-License-Identifier: GPL-3.0-or-later
import { el, name } from "../app/dom.js";
import { t, time } from "../app/text.js";
import { mark } from "../app/ui.js";
import { nameColumn, records } from "../app/records.js";

const isOver = user => user.expires_at && user.expires_at <= Date.now();

export const show = page => records(page, {
	scope: "users", path: "/api/v1/users", bulk: true, slug: "name", undo: false,
	columns: [
		nameColumn(),
		{ title: t("column.state"), width: "minmax(104px, .8fr)", sort: u => String(u.active !== false), cell: u => (u.active === false ? mark(t("device.off"), "bad") : isOver(u) ? mark(t("device.expired"), "bad") : mark(t("device.on"), "good")) },
		{ title: t("field.email"), wide: true, sort: u => u.email, cell: u => (u.email ? name(u.email) : el("span", { class: "dim" }, "–")) },
		{ title: t("field.expires_at"), wide: true, sort: u => u.expires_at, cell: u => (u.expires_at ? time(u.expires_at) : t("never")) },
	],
	text: u => `${u.id} ${u.name ?? ""} ${u.email ?? ""} ${u.note ?? ""}`,
	fields: user => [
		{ name: "name", kind: "text", required: true, max: 256 },
		!user && { name: "id", kind: "text", max: 64 },
		{ name: "email", kind: "text", type: "email", max: 254 },
		{ name: "active", kind: "switch", initial: true },
		{ name: "expires_at", kind: "when" },
		{ name: "note", kind: "area" },
	],
});
