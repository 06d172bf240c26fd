// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of a web address of a device, drawn as the way it goes.

import { code, el, fill, icon, name, plain } from "../app/dom.js";
import { all, change, may } from "../app/api.js";
import { t, time } from "../app/text.js";
import { button, failed, ghost, head, mark, panel, state, told } from "../app/ui.js";
import { toast } from "../app/toast.js";
import { unblock } from "../app/unblock.js";

const TONES = { block: "bad", unknown: "bad", allow: "good", pass: "good" };
const verdictMark = verdict => mark(t("explain.verdict." + (verdict ?? "not known")), TONES[verdict] ?? "warn", TONES[verdict] === "bad" ? "block" : TONES[verdict] ? "check" : "question");

/* One step of a daemon, as it told it. */
function stepLine(step, by) {
	const decides = step.step === by;
	return el("li", { class: decides ? "decides" : step.decided ? "" : "dim" },
		el("span", { class: "what" }, plain(step.step, 60)),
		step.verdict && step.decided && verdictMark(step.verdict),
		el("span", { class: "grow" },
			step.reason && step.reason !== step.step && name(step.reason),
			step.rule && [" ", code(step.rule)],
			(step.list_title || step.list) && [" ", t("explain.list"), " ", name(step.list_title || step.list), step.list_version && [" ", t("explain.held", { version: plain(step.list_version, 12) })]],
			(step.category || step.category_id) && [" ", t("explain.category"), " ", name(step.category || step.category_id)],
			step.answer && [" → ", code(step.answer)]),
		step.owner && el("span", { class: "chip" }, plain(step.owner, 20)),
		step.generation !== undefined && el("span", { class: "dim small" }, t("explain.generation", { n: step.generation })));
}

/* A stop on the way. tone: how it went there; end: the way ends here. */
function stop({ id, sign, title, verdict, note, isPast, path }) {
	const steps = path?.steps ?? [];
	return el("li", { class: "stop", "data-tone": isPast ? "past" : (TONES[verdict] ?? "") },
		el("div", { class: "dot" }, icon(sign)),
		el("div", { class: "stop-body" },
			el("div", { class: "row" }, el("h3", {}, title), !isPast && verdict && verdictMark(verdict)),
			el("p", { class: "dim small" }, isPast ? t("explain.not.reached") : note),
			steps.length > 0 && el("details", { open: steps.some(s => s.step === path.by) && TONES[verdict] === "bad" && !isPast },
				el("summary", { class: "small" }, t("explain.steps", { n: steps.length }), el("span", { class: "sr" }, ` ${t("explain.at", { what: title })} ${id}`)),
				el("ol", { class: "steps-list" }, steps.map(s => stepLine(s, path.by))))));
}

function pathNote(path, daemon) {
	if (!path) return t("explain.address.literal");
	if (path.unavailable) return t("explain.unavailable", { daemon, why: plain(path.unavailable, 200) });
	const said = [];
	if (path.acts === false) said.push(t("explain.passes.by"));
	if (path.own) said.push(t("explain.own"));
	if (path.by) said.push(t("explain.by", { step: plain(path.by, 60) }));
	if (path.decrypted !== undefined) said.push(t(path.decrypted ? "explain.decrypted" : "explain.closed"));
	if (path.images === "hide") said.push(t("explain.images"));
	if (path.words === "hide") said.push(t("explain.words"));
	if (path.safe_search) said.push(t("explain.safe", { what: plain(path.safe_search, 30) }));
	return said.join(" · ");
}

/* The stops of one way, in order; those behind the one that ends it are not reached. */
function way(answer, kind) {
	const { paths, verdicts, device, addresses, firewall } = answer, final = verdicts[kind];
	const blocked = (addresses ?? []).filter(a => !a.allowed);
	const order = [{
		key: "device", sign: "devices", title: plain(device.name || device.id, 60), verdict: device.entitled ? "allow" : "block",
		note: device.entitled ? t("explain.entitled", { profile: plain(device.profile ?? t("explain.profile.usual"), 32) }) : t("explain.not.entitled", { why: plain(device.entitlement, 40) }),
	}];
	if (kind === "apps") {
		order.push({ key: "dns", sign: "dns", title: t("explain.dns"), verdict: paths.dns?.verdict, note: pathNote(paths.dns, "dnsd"), path: paths.dns });
		order.push({
			key: "firewall", sign: "firewall", title: t("explain.firewall"), verdict: firewall ? (firewall.allowed ? "allow" : "block") : blocked.length && blocked.length === addresses.length ? "block" : addresses?.length ? "allow" : undefined,
			note: (addresses ?? []).length ? addresses.slice(0, 4).map(a => plain(a.address, 45) + (a.allowed ? "" : ` (${plain(a.why, 60)})`)).join(", ") : t("explain.addresses.none"),
		});
		order.push({ key: "intercept", sign: "explain", title: t("explain.intercept"), verdict: paths.intercept?.verdict, note: pathNote(paths.intercept, "proxyd"), path: paths.intercept });
	} else {
		order.push({ key: "proxy", sign: "explain", title: t("explain.proxy"), verdict: paths.proxy?.verdict, note: pathNote(paths.proxy, "proxyd"), path: paths.proxy });
	}
	const isOpen = ["allow", "pass"].includes(final.verdict) && device.entitled;
	order.push({ key: "internet", sign: "websites", title: plain(answer.host, 80), verdict: isOpen ? final.verdict : undefined, note: isOpen ? t("explain.arrives") : t("explain.not.reached") });
	let isPast = false;
	const stops = order.map(s => {
		const node = stop({ ...s, isPast: isPast || (s.key === "internet" && !isOpen), id: kind });
		if (TONES[s.verdict] === "bad" || s.key === final.layer && TONES[final.verdict] === "bad") isPast = true;
		return node;
	});
	return panel({ title: t("explain.way." + kind), actions: verdictMark(device.entitled ? final.verdict : "block") }, el("ol", { class: "way" }, stops));
}

export async function show(page) {
	const list = el("datalist", { id: "explain-devices" });
	const device = el("input", { class: "input", id: "explain-device", list: "explain-devices", required: true, autocomplete: "off", spellcheck: "false", value: page.query.get("device") ?? "" });
	const url = el("input", { class: "input", id: "explain-url", required: true, placeholder: "https://example.org/page", autocomplete: "off", spellcheck: "false", inputmode: "url", value: page.query.get("url") ?? "", "data-search": true });
	const when = el("input", { class: "input", type: "datetime-local", id: "explain-at" });
	const result = el("div", { class: "stack", "aria-live": "polite" });
	const submit = el("button", { type: "submit", class: "button main" }, icon("explain"), t("explain.do"));
	const fieldOf = (node, label, help) => el("div", { class: "field" }, el("label", { for: node.id }, label), node, help);
	const form = el("form", { class: "form", novalidate: true },
		el("div", { class: "fields-2" }, fieldOf(device, t("column.device"), list), fieldOf(url, t("explain.url")), fieldOf(when, t("explain.when"))),
		el("div", { class: "row" }, submit));
	const ask = async () => {
		try {
			const found = await all(`/api/v1/devices?q=${encodeURIComponent(device.value)}`, { limit: 20, max: 20, signal: page.signal });
			list.replaceChildren(...found.map(d => el("option", { value: d.id, label: plain(d.name ?? "") })));
		} catch (error) {
			told(error);
		}
	};
	device.addEventListener("input", ask);
	device.addEventListener("focus", ask);

	async function run() {
		if (!device.value.trim() || !url.value.trim()) return (device.value.trim() ? url : device).focus();
		fill(result, el("div", { class: "panel" }, ghost(5)));
		const body = { device: device.value.trim(), url: url.value.trim(), ...(when.value ? { at: new Date(when.value).getTime() } : {}) };
		history.replaceState(null, "", `#/explain?device=${encodeURIComponent(body.device)}&url=${encodeURIComponent(body.url)}`);
		try {
			const answer = await change("POST", "/api/v1/explain", body, { signal: page.signal });
			const isShut = Object.values(answer.verdicts).some(v => TONES[v.verdict] === "bad");
			fill(result,
				el("div", { class: "row" }, el("p", { class: "grow" }, t("explain.asked", { when: time(answer.at) }), " ", code(answer.url)),
					isShut && may("helper") && button(t("override.new"), { icon: "clock", onclick: async () => { if (await unblock({ id: answer.device.id }, answer.host)) { toast(t("override.made")); await run(); } } })),
				el("div", { class: "grid" }, way(answer, "browser"), way(answer, "apps")));
		} catch (error) {
			if (error.name === "AbortError") return;
			fill(result, error.status === 400 ? el("div", { class: "note bad", role: "alert" }, icon("warning"), el("div", {}, error.message)) : failed(error, run));
		}
	}
	form.addEventListener("submit", event => {
		event.preventDefault();
		run().catch(told);
	});
	page.root.append(head({ title: t("explain.title"), about: t("explain.about") }), panel({}, form), result);
	if (device.value && url.value) await run();
	else fill(result, state({ icon: "explain", title: t("explain.empty"), text: t("explain.empty.about") }));
}
