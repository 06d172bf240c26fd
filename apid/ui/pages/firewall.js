// SPDX-License-Identifier: GPL-3.0-or-later
import { el, fill, name, plain } from "../app/dom.js";
import { t } from "../app/text.js";
import { button, panel } from "../app/ui.js";
import { records } from "../app/records.js";

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

export const show = page => records(page, {
	scope: "firewall", path: "/api/v1/profiles", key: "name", undo: true, title: p => p.name, wide: true,
	intro: panel({ title: t("firewall.built") }, el("dl", { class: "facts" }, ["full", "internet", "intranet", "walled"].map(p => [el("dt", {}, t("choice.profile." + p)), el("dd", { class: "dim" }, t("firewall." + p))]))),
	columns: [
		{ title: t("field.name"), sort: p => p.name, cell: p => name(p.name) },
		{ title: t("field.rules"), width: "minmax(0, 3fr)", wide: true, cell: p => el("ul", { class: "chips" }, (p.rules ?? []).slice(0, 6).map(r => el("li", { class: "chip" }, short(r)))) },
	],
	fields: profile => [!profile && { name: "name", kind: "text", required: true, max: 32 }, rules],
});
