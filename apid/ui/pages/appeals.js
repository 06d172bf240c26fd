// SPDX-License-Identifier: GPL-3.0-or-later
// What devices asked for. One keystroke each: a approves, r rejects, the arrows choose.

import { code, el, fill, name, plain } from "../app/dom.js";
import { change, get, may } from "../app/api.js";
import { ago, t, time } from "../app/text.js";
import { button, failed, ghost, head, mark, state, tabs, told } from "../app/ui.js";
import { makeForm, choiceText } from "../app/form.js";
import { formDialog } from "../app/dialog.js";
import { onKey } from "../app/keys.js";
import { setCount } from "../app/frame.js";
import { toast } from "../app/toast.js";

const STATES = ["", "approved", "rejected"];
const TONE = { pending: "warn", approved: "good", rejected: "bad" };

const at = appeal => `/api/v1/appeals/${encodeURIComponent(appeal.uuid)}`;

async function decide(appeal, how, body) {
	const answer = await change("POST", `${at(appeal)}/${how}`, body);
	toast(t("appeals.done." + how, { host: plain(appeal.host, 60) }));
	get("/api/v1/appeal-counts").then(counts => setCount("appeals", counts.pending), () => {});
	return answer;
}

/* Approving with more than the usual. */
function approveForm(appeal) {
	const form = makeForm([
		{ name: "effect", kind: "choice", required: true, choices: ["override", "website", "none"] },
		{ name: "category", kind: "pick", of: "/api/v1/categories" },
		{ name: "pattern", kind: "text", max: 2048 },
		{ name: "until", kind: "when" },
		{ name: "answer", kind: "area", rows: 2 },
	], { effect: appeal.mode === "appeal" ? "override" : "website", pattern: appeal.host, category: appeal.category_id ?? undefined }, "appeals");
	return formDialog({
		title: t("appeals.approve.title", { host: plain(appeal.host, 60) }), form, action: t("appeals.approve"),
		save(value) {
			if (value.effect !== "website") delete value.category;
			if (value.effect !== "override") delete value.until;
			if (value.effect === "none") delete value.pattern;
			return decide(appeal, "approve", value);
		},
	}).done;
}

function rejectForm(appeal) {
	const form = makeForm([{ name: "answer", kind: "area", rows: 3, label: t("appeals.word") }], {}, "appeals");
	return formDialog({ title: t("appeals.reject.title", { host: plain(appeal.host, 60) }), form, action: t("appeals.reject"), save: value => decide(appeal, "reject", value) }).done;
}

export async function show(page) {
	const status = STATES.includes(page.args[0] ?? "") ? page.args[0] ?? "" : "";
	const list = el("ul", { class: "stack cards" }), more = el("div", { class: "row end" });
	let focus = 0;
	page.root.append(head({ title: t("appeals.title"), about: t("appeals.about") }), tabs(STATES.map(s => [s, t("appeals.tab." + (s || "pending"))]), "#/appeals", status, t("appeals.title")), list, more);

	const cards = () => [...list.querySelectorAll("li")];
	const choose = n => {
		const all = cards();
		if (!all.length) return;
		focus = Math.max(0, Math.min(all.length - 1, n));
		all[focus].focus();
		all[focus].scrollIntoView({ block: "nearest" });
	};
	const gone = card => {
		const n = cards().indexOf(card);
		card.remove();
		if (cards().length) choose(Math.min(n, cards().length - 1));
		else drawEmpty();
	};
	const drawEmpty = () => fill(list, el("li", { class: "panel" }, state({ icon: "appeals", title: t("appeals.empty." + (status || "pending")), text: t("appeals.empty.about") })));

	function card(appeal) {
		const can = may("helper") && appeal.status === "pending";
		const node = el("li", { class: "panel appeal", tabindex: "-1", "data-uuid": appeal.uuid, onfocusin: () => { focus = cards().indexOf(node); } });
		// Once at a time; what somebody else has answered meanwhile is said, and waits no more.
		const run = (how, work) => async () => {
			if (node.isDeciding) return;
			node.isDeciding = true;
			try {
				if (await work()) gone(node);
			} catch (error) {
				if (![404, 409].includes(error.status)) throw error;
				toast(t("appeals.already", { host: plain(appeal.host, 60) }), { kind: "bad" });
				gone(node);
			} finally {
				node.isDeciding = false;
			}
		};
		node.acts = {
			approve: run("approve", () => decide(appeal, "approve", {})),
			reject: run("reject", () => decide(appeal, "reject", {})),
		};
		return fill(node,
			el("div", { class: "row" }, mark(t("appeals.mode." + appeal.mode), "accent"), code(appeal.host, { class: "strong grow ellipsis" }),
				appeal.status !== "pending" && mark(choiceText("", "status", appeal.status), TONE[appeal.status]),
				el("span", { class: "dim small", title: time(appeal.time) }, ago(appeal.time))),
			el("p", { class: "dim small" }, appeal.device ? el("a", { href: `#/devices/${encodeURIComponent(appeal.device)}` }, name(appeal.device)) : t("unknown"), " · ", code(appeal.url), appeal.category_id && [" · ", name(appeal.category_id)]),
			appeal.reason && el("blockquote", {}, plain(appeal.reason, 600)),
			appeal.answer && el("p", { class: "small" }, t("appeals.answered"), " ", name(appeal.answer)),
			appeal.decided_by && el("p", { class: "dim small" }, t("appeals.by", { who: plain(appeal.decided_by.replace(/^admin:/, ""), 60), when: ago(appeal.decided_at) })),
			can && el("div", { class: "row" },
				button(t("appeals.approve"), { icon: "check", kind: "main small", onclick: node.acts.approve }),
				button(t("appeals.reject"), { icon: "close", kind: "small", onclick: node.acts.reject }),
				button(t("appeals.approve.more"), { kind: "quiet small", onclick: run("approve", () => approveForm(appeal)) }),
				button(t("appeals.reject.more"), { kind: "quiet small", onclick: run("reject", () => rejectForm(appeal)) }),
				appeal.device && button(t("explain.why"), { icon: "explain", kind: "quiet small", href: `#/explain?device=${encodeURIComponent(appeal.device)}&url=${encodeURIComponent(appeal.url)}` })));
	}

	async function loadMore(cursor) {
		const found = await get(`/api/v1/appeals?status=${status || "pending"}&limit=50${cursor ? "&cursor=" + cursor : ""}`, { signal: page.signal });
		if (!cursor) list.replaceChildren();
		for (const appeal of found.items) list.append(card(appeal));
		if (!cards().length) drawEmpty();
		fill(more, found.next && button(t("more.load"), { icon: "down", onclick: () => loadMore(found.next) }));
	}

	if (may("helper") && !status) {
		const act = how => () => cards()[focus]?.acts?.[how]().catch(told);
		onKey("a", t("appeals.approve"), act("approve"), page.signal);
		onKey("r", t("appeals.reject"), act("reject"), page.signal);
		onKey("j", t("appeals.next"), () => choose(focus + 1), page.signal);
		onKey("k", t("appeals.previous"), () => choose(focus - 1), page.signal);
		page.root.querySelector(".head").append(el("p", { class: "dim small keys-hint" }, el("kbd", {}, "a"), " ", t("appeals.approve"), " ", el("kbd", {}, "r"), " ", t("appeals.reject"), " ", el("kbd", {}, "j"), " ", el("kbd", {}, "k"), " ", t("appeals.next")));
	}
	fill(list, el("li", { class: "panel" }, ghost(3)));
	try {
		await loadMore("");
	} catch (error) {
		if (error.name === "AbortError") return;
		fill(list, el("li", { class: "panel" }, failed(error, page.again)));
	}
}

