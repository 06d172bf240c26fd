// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Forms from a description:
 *     makeForm([{name: "term", kind: "text", required: true}, …], record, "words")
 * Label and help are the texts `field.words.term` or `field.term`, and `help.words.term` or `help.term`;
 * labels of choices `choice.words.match.exact` or `choice.match.exact`.
 *
 * Kinds: text, area, password, number, switch, choice (a select; inherit: true adds "inherits", "nothing" that nothing is above), segments,
 * texts (one a line), when (date and time → epoch ms), pick (a record of another resource), gigabytes,
 * megabits, checks, group (fields: [], title: inside <details> when more: true), custom (make(value, record) →
 * {node, value(), focus()}).
 * A field without a value is not in what value() gives; what the record has besides the fields stays.
 */

import { el, icon, plain } from "./dom.js";
import { all, Problem } from "./api.js";
import { has, t } from "./text.js";
import { busy, id, told } from "./ui.js";

const pickText = (kinds, scope, name) => kinds.map(k => `${k[0]}.${k[1] ? scope + "." : ""}${name}`).find(has);
const labelOf = (scope, name) => { const key = pickText([["field", true], ["field", false]], scope, name); return key ? t(key) : name; };
const helpOf = (scope, name) => { const key = pickText([["help", true], ["help", false]], scope, name); return key && t(key); };
export function choiceText(scope, name, value) {
	const key = [`choice.${scope}.${name}.${value}`, `choice.${name}.${value}`].find(has);
	return key ? t(key) : value;
}

const pad = n => String(n).padStart(2, "0");
function localTime(ms) {
	const d = new Date(ms);
	return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}`;
}

const input = (f, props) => el("input", { class: "input", id: f.id, name: f.name, required: f.required ?? false, "aria-describedby": f.describedby, placeholder: f.placeholder, ...props });
const given = text => (text === "" ? undefined : text);

const scaled = factor => (f, value) => {
	const node = input(f, { type: "number", min: 0, step: "any", inputmode: "decimal", value: value === undefined ? "" : String(value / factor) });
	return { node, value: () => (node.value === "" ? undefined : Math.round(Number(node.value) * factor)) };
};

const KINDS = {
	text(f, value) {
		const node = input(f, { type: f.type ?? "text", value: value ?? "", autocomplete: f.autocomplete ?? "off", spellcheck: "false", autocapitalize: f.autocapitalize ?? "off", inputmode: f.inputmode, maxlength: f.max });
		return { node, value: () => given(node.value.trim()) };
	},
	password(f) {
		const node = input(f, { type: "password", autocomplete: f.autocomplete ?? "new-password" });
		return { node, value: () => given(node.value) };
	},
	area(f, value) {
		const node = el("textarea", { class: "input", id: f.id, name: f.name, value: value ?? "", "aria-describedby": f.describedby, required: f.required ?? false, rows: f.rows });
		return { node, value: () => given(node.value.trim()) };
	},
	number(f, value) {
		const node = input(f, { type: "number", min: f.min, max: f.max, step: f.step ?? 1, inputmode: "numeric", value: value === undefined || value === null ? "" : String(value) });
		return { node, value: () => (node.value === "" ? undefined : Number(node.value)) };
	},
	gigabytes: scaled(1e9),
	megabits: scaled(1000),
	switch(f, value) {
		const node = el("input", { type: "checkbox", role: "switch", id: f.id, name: f.name, checked: value ?? f.initial ?? false, "aria-describedby": f.describedby });
		return { node, isSwitch: true, value: () => (node.checked ? true : f.off === "absent" ? undefined : false) };
	},
	choice(f, value) {
		const options = f.choices.map(c => (Array.isArray(c) ? c : [c, choiceText(f.scope, f.name, c)]));
		if (f.inherit || !f.required) options.unshift(["", f.inherit ? t(f.inherit === "nothing" ? "inherits.nothing" : "inherits") : f.none ?? t("none")]);
		const text = value === undefined || value === null ? "" : String(value);
		if (text && !options.some(o => String(o[0]) === text)) options.push([text, plain(text)]);
		const node = el("select", { class: "input", id: f.id, name: f.name, "aria-describedby": f.describedby },
			options.map(([v, label]) => el("option", { value: v, selected: String(v) === text }, label)));
		const typed = f.choices.find(c => !Array.isArray(c) ? typeof c !== "string" : typeof c[0] !== "string");
		return { node, value: () => (node.value === "" ? undefined : typed === undefined ? node.value : JSON.parse(node.value)) };
	},
	segments(f, value) {
		const radios = f.choices.map(c => el("input", { type: "radio", name: f.id, value: c, checked: (value ?? f.initial) === c }));
		const node = el("div", { class: "segments" }, radios.map((r, i) => el("label", {}, r, choiceText(f.scope, f.name, f.choices[i]))));
		return { node, isGroup: true, value: () => radios.find(r => r.checked)?.value };
	},
	texts(f, value) {
		const node = el("textarea", { class: "input mono", id: f.id, name: f.name, rows: f.rows ?? 4, value: (value ?? []).join("\n"), spellcheck: "false", "aria-describedby": f.describedby });
		return {
			node, value() {
				const lines = node.value.split(/[\n,]/).map(l => l.trim()).filter(Boolean);
				return lines.length ? lines : f.keepEmpty ? [] : undefined;
			},
		};
	},
	when(f, value) {
		const node = input(f, { type: "datetime-local", value: value ? localTime(value) : "" });
		return { node, value: () => (node.value ? new Date(node.value).getTime() : undefined) };
	},
	checks(f, value) {
		const boxes = f.choices.map(c => el("input", { type: "checkbox", value: c, checked: (value ?? []).includes(c) }));
		const node = el("div", { class: "choices" }, boxes.map((b, i) => el("label", {}, b, choiceText(f.scope, f.name, f.choices[i]))));
		return {
			node, isGroup: true, value() {
				const chosen = boxes.filter(b => b.checked).map(b => b.value);
				return chosen.length ? chosen : f.keepEmpty ? [] : undefined;
			},
		};
	},
	/* of: path of the resource. Few records are a select; where there may be many, one types and is helped. */
	pick(f, value) {
		const key = f.key ?? "id";
		if (f.many) {
			const list = el("datalist", { id: f.id + "-list" });
			const node = input(f, { type: "text", value: value ?? "", list: list.id, autocomplete: "off" });
			node.after(list);
			let asked = null;
			const ask = async () => {
				if (asked === node.value) return;
				const mine = (asked = node.value);
				try {
					const found = await all(`${f.of}?q=${encodeURIComponent(mine)}`, { limit: 20, max: 20 });
					if (mine !== asked) return;
					list.replaceChildren(...found.map(r => el("option", { value: r[key], label: plain(r.name ?? "") })));
				} catch (error) {
					told(error);
				}
			};
			node.addEventListener("input", ask);
			node.addEventListener("focus", ask);
			return { node: el("div", {}, node, list), target: node, value: () => given(node.value.trim()) };
		}
		const part = KINDS.choice({ ...f, choices: value === undefined ? [] : [[value, plain(value)]], inherit: false }, value);
		all(f.of).then(found => {
			const chosen = part.node.value;
			const options = found.map(r => [r[key], plain(r.name || r[key])]).sort((a, b) => a[1].localeCompare(b[1]));
			part.node.replaceChildren(...[...(f.required ? [] : [["", f.none ?? t("none")]]), ...options].map(([v, label]) => el("option", { value: v, selected: v === chosen }, label)));
			if (chosen && !options.some(o => o[0] === chosen)) part.node.append(el("option", { value: chosen, selected: true }, plain(chosen)));
		}).catch(told);
		return part;
	},
};

function makeField(f, record, scope) {
	const full = { ...f, scope, id: id("f"), label: f.label ?? labelOf(scope, f.name), help: f.help ?? helpOf(scope, f.name) };
	full.describedby = full.help ? full.id + "-help" : null;
	const made = f.kind === "custom" ? f.make(record[f.name], record) : KINDS[f.kind](full, record[f.name]);
	const target = made.target ?? made.node;
	const wrong = el("p", { class: "wrong", id: full.id + "-wrong", hidden: true });
	const help = full.help && el("p", { class: "help", id: full.id + "-help" }, full.help);
	let node;
	if (made.isSwitch) {
		node = el("div", { class: "field" }, el("label", { class: "switch" }, made.node, el("span", { class: "text" }, full.label)), help, wrong);
	} else if (made.isGroup || f.kind === "custom") {
		node = el("fieldset", { class: "field", "aria-describedby": full.describedby }, el("legend", {}, full.label), help, made.node, wrong);
	} else {
		node = el("div", { class: "field" }, el("label", { for: full.id }, full.label), made.node, help, wrong);
	}
	return {
		name: f.name, node, value: made.value,
		showWrong(text) {
			wrong.hidden = !text;
			wrong.replaceChildren();
			if (text) wrong.append(icon("warning"), `${full.label} ${text}.`);
			target.setAttribute?.("aria-invalid", text ? "true" : "false");
			target.setAttribute?.("aria-describedby", [full.describedby, text && wrong.id].filter(Boolean).join(" "));
			if (text && node.closest("details")) node.closest("details").open = true;
			if (text) (made.focus ?? (() => (target.matches("input, select, textarea") ? target : target.querySelector("input, select, textarea, button"))?.focus()))();
		},
	};
}

function makeAll(fields, record, scope, out) {
	const nodes = [];
	for (const f of fields.filter(Boolean)) {
		if (f.kind === "group") {
			const inner = makeAll(f.fields, record, scope, out);
			const body = el("div", { class: f.columns ? "fields-2" : "form" }, inner);
			nodes.push(f.more ? el("details", { class: "more", open: f.open ?? false }, el("summary", {}, f.title), body) : f.title ? el("div", { class: "form" }, el("h3", {}, f.title), body) : body);
		} else if (f.kind === "note") {
			nodes.push(f.node);
		} else {
			const made = makeField(f, record, scope);
			out.push(made);
			nodes.push(made.node);
		}
	}
	return nodes;
}

/* A form that stands in the page, with its button: save(value) stores, its problem is shown at the fields. can:
 * false, it is only looked at. */
export function pageForm(form, { save, action, can = true }) {
	const wrong = el("div", { role: "alert" });
	const submit = el("button", { type: "submit", class: "button main" }, action ?? t("save"));
	form.node.addEventListener("submit", event => {
		event.preventDefault();
		wrong.replaceChildren();
		form.clearProblem();
		busy(submit, async () => {
			try {
				await save(form.value());
			} catch (error) {
				if (!form.showProblem(error, wrong)) throw error;
			}
		});
	});
	form.node.append(wrong, el("div", { class: "row end" }, submit));
	if (!can) {
		for (const f of form.node.querySelectorAll("input, select, textarea, button")) f.disabled = true;
		submit.hidden = true;
	}
	return form.node;
}

/* See above. → {node: <form>, value(), showProblem(error), clearProblem()} */
export function makeForm(fields, record = {}, scope = "") {
	const made = [];
	const node = el("form", { class: "form", id: id("form"), novalidate: true }, makeAll(fields, record, scope, made));
	return {
		node,
		field: name => made.find(m => m.name === name),
		value() {
			const out = { ...record };
			for (const m of made) {
				const value = m.value();
				if (value === undefined) delete out[m.name];
				else out[m.name] = value;
			}
			return out;
		},
		clearProblem() {
			for (const m of made) m.showWrong("");
		},
		/* At the fields that it names, else in place. False: it is no problem of the API's. */
		showProblem(error, place) {
			if (!(error instanceof Problem)) return false;
			const shown = made.filter(m => error.fields[m.name]);
			for (const m of shown.reverse()) m.showWrong(error.fields[m.name]);
			if (!shown.length) place.replaceChildren(el("div", { class: "note bad" }, icon("warning"), el("div", {}, error.status === 412 ? t("problem.changed") : error.message)));
			return true;
		},
	};
}
