// SPDX-License-Identifier: GPL-3.0-or-later
import { code, el, name, plain } from "../app/dom.js";
import { all, get, may } from "../app/api.js";
import { t } from "../app/text.js";
import { button, failed, head, mark, state } from "../app/ui.js";
import { makeTable, two } from "../app/table.js";
import { addDevice } from "../app/add_device.js";

/* What its record alone says. */
export function recordState(device, now = Date.now()) {
	if (device.active === false) return ["off", t("device.off"), "bad"];
	if (device.expires_at && device.expires_at <= now) return ["expired", t("device.expired"), "bad"];
	if (!device.public_key) return ["new", t("device.new"), "warn"];
	return ["on", t("device.on"), "good"];
}

const FRESH_MS = 15000, AT_ONCE = 8;

/* What wgd tells of the devices that are in sight, asked for a few at a time. */
class Sessions {
	constructor(page) {
		this.known = new Map();
		this.page = page;
		const timer = setInterval(() => { if (!document.hidden) this.look().catch(() => {}); }, 1000);
		page.onleave(() => clearInterval(timer));
	}

	mark(device) {
		const [key, text, tone] = recordState(device);
		const node = el("span", { "data-session": key === "on" ? device.id : null }, mark(text, tone));
		if (key === "on") this.draw(node, this.known.get(device.id));
		return node;
	}

	draw(node, found) {
		if (typeof found?.online === "boolean") node.replaceChildren(found.online ? mark(t("online"), "good") : mark(t("offline")));
	}

	async look() {
		const now = Date.now();
		const wanted = [...this.page.root.querySelectorAll("[data-session]")].filter(n => !(now - this.known.get(n.dataset.session)?.at < FRESH_MS)).slice(0, AT_ONCE);
		await Promise.all(wanted.map(async node => {
			const id = node.dataset.session;
			this.known.set(id, { ...this.known.get(id), at: now });
			const status = await get(`/api/v1/devices/${encodeURIComponent(id)}/status`, { once: true, signal: this.page.signal });
			this.known.set(id, { online: status.online, at: now });
			this.draw(node, this.known.get(id));
		}));
	}
}

export async function show(page) {
	if (page.args.length) return (await import("./device.js")).show(page);

	const add = async () => {
		const device = await addDevice();
		if (device) page.open(`/devices/${encodeURIComponent(device.id)}`);
	};
	const newButton = () => may("admin") && button(t("devices.new"), { icon: "plus", kind: "main", onclick: add });
	const sessions = new Sessions(page);
	const table = makeTable({
		label: t("devices.title"),
		columns: [
			{ title: t("column.device"), width: "minmax(0, 2.2fr)", sort: d => (d.name || d.id).toLowerCase(), cell: d => two(name(d.name || d.id), code(d.id)) },
			{ title: t("column.state"), width: "minmax(104px, .8fr)", sort: d => recordState(d)[0], cell: d => sessions.mark(d) },
			{ title: t("column.group"), width: "minmax(0, 1fr)", wide: true, sort: d => d.group?.toLowerCase(), cell: d => (d.group ? name(d.group) : el("span", { class: "dim" }, "–")) },
			{ title: t("column.user"), width: "minmax(0, 1fr)", wide: true, sort: d => d.user?.toLowerCase(), cell: d => (d.user ? name(d.user) : el("span", { class: "dim" }, "–")) },
			{ title: t("column.address"), width: "minmax(0, 1.2fr)", wide: true, sort: d => addressKey(d.addresses?.[0]), cell: d => code((d.addresses ?? [])[0] ?? "–") },
		],
		rowHeight: 58,
		href: d => `#/devices/${encodeURIComponent(d.id)}`,
		text: d => `${d.id} ${d.name ?? ""} ${d.user ?? ""} ${d.group ?? ""} ${(d.addresses ?? []).join(" ")}`,
		filters: [{ label: t("devices.any"), choices: ["on", "new", "off", "expired"].map(v => [v, t("device." + v)]), test: (d, v) => recordState(d)[0] === v }],
		empty: () => state({ icon: "devices", title: t("devices.empty"), text: t("devices.empty.about"), actions: newButton() }),
	});
	const first = newButton();
	if (first) first.dataset.new = "";
	page.root.append(head({ title: t("devices.title"), about: t("devices.about"), actions: first }), table.node);
	try {
		await all("/api/v1/devices", { signal: page.signal, onPage: found => table.add(found) });
		table.finish();
	} catch (error) {
		if (error.name === "AbortError") return;
		if (error.status === undefined) throw error;
		table.node.replaceWith(failed(error, page.again));
	}
}

/* So that 10.9.0.9 goes before 10.9.0.10. */
function addressKey(text) {
	return text?.split(".").map(p => p.padStart(3, "0")).join(".");
}

export const shownName = device => plain(device.name || device.id, 60);
