// SPDX-License-Identifier: GPL-3.0-or-later
// Many records at once: out as a file, in from one, looked at before anything is changed.

import { el, fill, name, plain } from "./dom.js";
import { change } from "./api.js";
import { number, t } from "./text.js";
import { button, mark, told } from "./ui.js";
import { open } from "./dialog.js";
import { toast } from "./toast.js";

function outcome(result) {
	return el("div", { class: "stack tight" },
		el("p", {}, t("bulk.would", { added: number(result.added), changed: number(result.changed), unchanged: number(result.unchanged), removed: number(result.removed) })),
		result.error_count > 0 && [el("p", { class: "bad" }, t("bulk.errors", { n: result.error_count })),
			el("ul", { class: "feed" }, result.errors.slice(0, 50).map(e => el("li", {}, mark(t("bulk.row", { n: e.row }), "bad"), el("span", { class: "grow" }, name(`${e.id ? e.id + " " : ""}${e.pointer} ${e.reason}`, { class: "wrap" })))))]);
}

/* resource: "words". after: it was changed. */
function importDialog(resource, after) {
	const file = el("input", { class: "input", type: "file", accept: ".csv,.json,text/csv,application/json", id: "bulk-file" });
	const replace = el("input", { type: "checkbox", role: "switch" });
	const place = el("div", { "aria-live": "polite" });
	let turn = 0, seen = null; // what the last look was at; a later one makes it worth nothing
	const send = (isDry, what) => change("POST", `/api/v1/import/${resource}?dry_run=${isDry}&replace=${what.replaces}`, what.body);
	return open({
		title: t("bulk.import"),
		body: d => {
			const look = async () => {
				const apply = d.node.querySelector("[data-apply]"), mine = ++turn, replaces = replace.checked;
				let body;
				apply.disabled = true;
				fill(place);
				if (!file.files.length) return;
				const text = await file.files[0].text();
				if (mine !== turn) return;
				try {
					body = /^\s*[[{]/.test(text) ? JSON.parse(text) : { csv: text };
				} catch (error) {
					fill(place, el("p", { class: "bad" }, t("bulk.no.json", { why: plain(error.message, 200) })));
					return;
				}
				if (Array.isArray(body)) body = { records: body };
				const result = await send(true, { body, replaces });
				if (mine !== turn) return;
				seen = { body, replaces };
				fill(place, outcome(result));
				apply.disabled = result.error_count > 0 || !(result.added + result.changed + result.removed);
			};
			const again = () => look().catch(told);
			file.addEventListener("change", again);
			replace.addEventListener("change", again);
			return [el("p", { class: "dim" }, t("bulk.about")), el("div", { class: "field" }, el("label", { for: "bulk-file" }, t("bulk.file")), file), el("label", { class: "switch" }, replace, el("span", { class: "text" }, t("bulk.replace"))), place];
		},
		foot: d => [button(t("cancel"), { onclick: () => d.close() }), button(t("bulk.apply"), {
			kind: "main", "data-apply": true, disabled: true, onclick: async () => {
				const result = await send(false, seen);
				if (!result.applied) return fill(place, outcome(result));
				d.close(true);
				toast(t("bulk.done", { n: result.added + result.changed + result.removed }));
				after();
			},
		})],
	});
}

/* Two buttons in the head of a list. */
export function bulkButton(resource, after) {
	return button(t("bulk.button"), {
		icon: "copy", onclick: () => {
			open({
				title: t("bulk.button"),
				body: d => el("div", { class: "row" },
					["csv", "json"].map(f => el("a", { class: "button", href: `/api/v1/export/${resource}?format=${f}`, download: `${resource}.${f}`, onclick: () => d.close() }, t("bulk.export", { what: f.toUpperCase() }))),
					button(t("bulk.import"), { icon: "up", kind: "main", onclick: () => { d.close(); importDialog(resource, after); } })),
			});
		},
	});
}
