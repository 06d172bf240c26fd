// SPDX-License-Identifier: GPL-3.0-or-later
import { el, fill, name, plain } from "../app/dom.js";
import { get, me } from "../app/api.js";
import { ago, bytes, has, number, t, time } from "../app/text.js";
import { button, facts, ghost, mark, panel } from "../app/ui.js";
import { ranking } from "../app/ranking.js";
import { records } from "../app/records.js";

const ASK_MS = 2000;

/* The rules of a profile, in their order. */
const rules = {
	name: "rules", kind: "custom", make(value) {
		const lines = el("div", { class: "stack tight" });
		const input = (key, list, placeholder) => el("input", { class: "input", type: "text", value: (list ?? []).join(", "), placeholder, "aria-label": t("rule." + key), spellcheck: "false" });
		const split = node => node.value.split(/[\s,]+/).filter(Boolean);
		const line = rule => {
			const action = el("select", { class: "input auto", "aria-label": t("field.action") }, ["allow", "block"].map(v => el("option", { value: v, selected: v === rule.action }, t("rule." + v))));
			const prefixes = input("prefixes", rule.prefixes, "10.77.0.0/24"), protocols = input("protocols", rule.protocols, "tcp, udp"), ports = input("ports", rule.ports, "443, 5000-5010");
			const move = by => () => {
				const other = by < 0 ? node.previousElementSibling : node.nextElementSibling;
				if (other) by < 0 ? other.before(node) : other.after(node);
			};
			const node = el("fieldset", { class: "panel stack tight field" }, el("legend", { class: "sr" }, t("rule.one")),
				el("div", { class: "row" }, action, el("span", { class: "grow" }),
					button("", { icon: "up", kind: "quiet small", label: t("rule.up"), onclick: move(-1) }), button("", { icon: "down", kind: "quiet small", label: t("rule.down"), onclick: move(1) }),
					button("", { icon: "trash", kind: "quiet small", label: t("rule.remove"), onclick: () => node.remove() })),
				el("label", { class: "field" }, el("span", { class: "label" }, t("rule.prefixes")), prefixes),
				el("div", { class: "fields-2" }, el("label", { class: "field" }, el("span", { class: "label" }, t("rule.protocols")), protocols), el("label", { class: "field" }, el("span", { class: "label" }, t("rule.ports")), ports)));
			node.read = () => {
				const out = { action: action.value };
				for (const [key, list] of [["prefixes", split(prefixes)], ["protocols", split(protocols)], ["ports", split(ports)]]) if (list.length) out[key] = list;
				return out;
			};
			return node;
		};
		fill(lines, (value ?? []).map(line));
		return {
			node: el("div", { class: "stack tight" }, lines, el("div", {}, button(t("rule.add"), { icon: "plus", kind: "small", onclick: () => lines.append(line({ action: "allow" })) }))),
			value: () => [...lines.children].map(l => l.read()),
		};
	},
};

const short = rule => `${t("rule." + rule.action)} ${plain((rule.prefixes ?? [t("rule.any")]).join(" "), 40)} ${plain([...(rule.protocols ?? []), ...(rule.ports ?? [])].join(" "), 40)}`;

/* ---- what it does now ---- */

function stateMark(now) {
	if (now.failing) return mark(t("firewall.failing"), "bad", "warning");
	if (!now.running) return mark(t("daemon.silent"), "warn", "warning");
	if (!now.known) return mark(t("firewall.closed"), "warn", "block");
	return mark(t("daemon.good"), "good", "check");
}

const reasonText = reason => (has("refused." + reason) ? t("refused." + reason) : plain(reason, 40).replace(/_/g, " "));

/* Packets a second since the report before, where there is one; counters begin anew with the rules. */
function perSecond(now, before, reason) {
	const packets = r => Number(r.refused.find(x => x.reason === reason)?.packets ?? 0);
	if (!before || now.at <= before.at || packets(now) < packets(before)) return "";
	const rate = (packets(now) - packets(before)) / ((now.at - before.at) / 1000);
	return rate ? t("refused.speed", { n: Math.round(rate * 10) / 10 }) : "";
}

function refusedRows(now, before) {
	return now.refused.filter(r => Number(r.packets)).sort((a, b) => b.packets - a.packets)
		.map(r => ({ label: reasonText(r.reason), value: Number(r.packets), note: [bytes(r.bytes), perSecond(now, before, r.reason)].filter(Boolean).join(" · ") }));
}

/* The rules' state, and what they refused, as it goes on. */
function nowPanels(page) {
	const about = el("div", {}, ghost(4)), refused = el("div", {}, ghost(4));
	let last = null, before = null;
	const refresh = async () => {
		let now;
		try {
			now = await get("/api/v1/firewall", { signal: page.signal, once: true });
		} catch (error) {
			if (error.status !== 503) throw error;
			fill(about, el("p", { class: "dim" }, t("firewall.unheard")));
			fill(refused, el("p", { class: "dim" }, "–"));
			return;
		}
		if (now.at === last?.at) return;
		before = last;
		last = now;
		fill(about, facts([
			[t("column.state"), stateMark(now)], [t("health.heard"), el("span", { title: time(now.at) }, ago(now.at))],
			[t("firewall.rewrites"), number(now.rewrites)], [t("firewall.updates"), number(now.updates)], [t("firewall.heals"), number(now.heals)],
		]));
		fill(refused, ranking(refusedRows(now, before), t("refused.none"), "firewall"));
	};
	refresh().catch(error => {
		if (error.name === "AbortError") return;
		fill(about, el("p", { class: "bad" }, error.message));
		fill(refused);
	});
	const timer = setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, ASK_MS);
	page.onleave(() => clearInterval(timer));
	return [panel({ title: t("firewall.now") }, about), panel({ title: t("refused.title") }, refused)];
}

export const show = page => records(page, {
	scope: "firewall", path: "/api/v1/profiles", key: "name", undo: true, title: p => p.name, wide: true,
	intro: el("div", { class: "grid" }, me().groups ? null : nowPanels(page), panel({ title: t("firewall.built") }, el("dl", { class: "facts" }, ["full", "internet", "intranet", "walled"].map(p => [el("dt", {}, t("choice.profile." + p)), el("dd", { class: "dim" }, t("firewall." + p))])))),
	columns: [
		{ title: t("field.name"), sort: p => p.name, cell: p => name(p.name) },
		{ title: t("field.rules"), width: "minmax(0, 3fr)", wide: true, cell: p => el("ul", { class: "chips" }, (p.rules ?? []).slice(0, 6).map(r => el("li", { class: "chip" }, short(r)))) },
	],
	fields: profile => [!profile && { name: "name", kind: "text", required: true, max: 32 }, rules],
});
