// SPDX-License-Identifier: GPL-3.0-or-later
// Name and password, then the second factor where the account has one.

import { el, fill, icon } from "./dom.js";
import { login, me, Problem } from "./api.js";
import { t } from "./text.js";
import { busy } from "./ui.js";
import { open } from "./dialog.js";

function field(name, props) {
	return el("div", { class: "field" }, el("label", { for: "login-" + name }, t("login." + name)),
		el("input", { class: "input", id: "login-" + name, name, required: true, ...props }));
}

/* done: it went well. */
function form(done, user) {
	const wrong = el("div", { role: "alert" });
	const first = el("div", { class: "form" },
		field("user", { autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 64, value: user ?? "", autofocus: !user }),
		field("password", { type: "password", autocomplete: "current-password", autofocus: Boolean(user) }));
	const second = el("div", { class: "form", hidden: true }, el("p", { class: "dim" }, t("login.code.about")),
		el("div", { class: "field" }, el("label", { for: "login-code" }, t("login.code")),
			el("input", { class: "input", id: "login-code", name: "code", autocomplete: "one-time-code", inputmode: "text", autocapitalize: "none", spellcheck: "false", maxlength: 64 })));
	const submit = el("button", { class: "button main", type: "submit" }, t("login.submit"));
	const node = el("form", { class: "form", novalidate: true }, wrong, first, second, submit);

	function tell(text, target) {
		fill(wrong, el("div", { class: "note bad" }, icon("warning"), el("div", {}, text)));
		target.focus();
		target.select();
	}

	async function send() {
		const values = node.elements;
		const name = values.namedItem("user"), password = values.namedItem("password"), code = values.namedItem("code");
		wrong.replaceChildren();
		if (!name.value || !password.value) return tell(t("login.empty"), name.value ? password : name);
		try {
			await login(name.value.trim(), password.value, code.value.replace(/\s/g, ""));
			done();
		} catch (error) {
			if (!(error instanceof Problem)) throw error;
			if (error.code === "totp_required") {
				first.hidden = true;
				second.hidden = false;
				code.focus();
			} else if (error.status === 401) {
				tell(t(code.value ? "login.wrong.code" : "login.wrong"), code.value ? code : password);
			} else {
				tell(error.status === 429 ? t("login.wait", { n: error.retry }) : error.message, second.hidden ? password : code);
			}
		}
	}
	node.addEventListener("submit", event => {
		event.preventDefault();
		busy(submit, send);
	});
	return node;
}

/* The page before all others. */
export function showLogin(done) {
	document.title = `${t("login.title")} · Culvert`;
	fill(document.body, el("div", { class: "alone" }, el("main", {},
		el("p", { class: "brand" }, el("img", { src: new URL("icon.svg", import.meta.url).pathname, alt: "" }), "Culvert"),
		el("section", { class: "panel stack" }, el("h1", {}, t("login.title")), form(done)))));
	document.querySelector("[autofocus]")?.focus();
}

/* Above the page that somebody is at. Who leaves it is asked again by what needs a session: what was typed below
 * stays. Another account sees pages of its own. */
export async function askLogin() {
	const user = me()?.name;
	await open({
		title: t("login.again"), body: d => [el("p", { class: "dim" }, t("login.again.about")), form(() => d.close(true), user)],
	}).done;
	if (user && me()?.name !== user) location.reload();
}
