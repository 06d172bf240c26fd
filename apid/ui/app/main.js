// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The administration's pages. No framework, no build step: modules that the browser loads as they are.
 *
 * To add a page:
 *  1. a row in PAGES (app/nav.js): its id, which is also its address (#/id) and its icon, and who may see it;
 *  2. a file pages/id.js with
 *         export async function show(page) { page.root.append(head({title: t("id.title")}), …); }
 *     page: root (its <main>, empty), args (what follows #/id/, decoded), query (URLSearchParams), signal
 *     (aborted when it is left: give it to get(), all()), onleave(f), open(address).
 *  3. texts in texts/en.js: nav.id, id.title and what else it says.
 * A page that is a list of records with a form each needs nothing but a description: see app/records.js and
 * pages/words.js. Parts: dom.js (el, name, code: all text goes through these), api.js, ui.js (head, panel, button,
 * state), table.js, form.js, dialog.js, toast.js. Files are found by their names when apid is built.
 * Anything from a person or a device is text for name(), code() or plain(): it may be 10,000 letters of nothing good.
 */

import { el, fill } from "./dom.js";
import { on, resume } from "./api.js";
import { showFrame } from "./frame.js";
import { askLogin, showLogin } from "./login.js";
import { failed } from "./ui.js";

async function start() {
	try {
		if (await resume()) showFrame();
		else showLogin(showFrame);
	} catch (error) {
		fill(document.body, el("main", {}, failed(error, start, true)));
	}
}

// Where a session ends while somebody is at work, the page stays and the login comes above it.
let asking = false;
on("logout", async () => {
	if (asking || !document.querySelector(".frame")) return;
	asking = true;
	await askLogin();
	asking = false;
});

start();
