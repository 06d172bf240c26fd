// SPDX-License-Identifier: GPL-3.0-or-later
// Playwright for programs in another language: a JSON request a line in, an answer a line out.
"use strict";
const path = require("path");
const readline = require("readline");
const { createRequire } = require("module");

const playwright = createRequire(path.join(process.argv[2], "package.json"))("playwright-core");
const pages = new Map();
let browser = null, serial = 0;

const CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
	"--disable-component-update", "--no-first-run"];

async function launch({ executable, args }) {
	browser = await playwright.chromium.launch({ headless: true, executablePath: executable, args: [...CHROMIUM, ...(args ?? [])] });
	return browser.version();
}

/* What a page says that it should not: errors, refused by a policy, failed requests. */
function listen(page, said) {
	page.on("console", m => { if (["error", "warning"].includes(m.type())) said.push(`${m.type()}: ${m.text()} ${m.location().url}`); });
	page.on("pageerror", e => said.push("exception: " + (e.stack ?? e)));
	page.on("dialog", d => { said.push("dialog: " + d.message()); d.dismiss(); });
}

async function newPage(options) {
	const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
	const page = await context.newPage();
	const said = [];
	listen(page, said);
	pages.set(++serial, { context, page, said });
	return serial;
}

const own = {
	launch,
	new_page: newPage,
	said: ({ page }) => pages.get(page).said.splice(0),
	async close_page({ page }) {
		await pages.get(page).context.close();
		pages.delete(page);
	},
	/* What Playwright has no word for: a command of the DevTools protocol to the page. */
	async cdp({ page, method, params }) {
		const entry = pages.get(page);
		entry.devtools ??= await entry.context.newCDPSession(entry.page);
		return entry.devtools.send(method, params ?? {});
	},
	async trace({ page, categories }) {
		await browser.startTracing(pages.get(page).page, { categories });
	},
	/* → its events, into a file. */
	async trace_end({ file }) {
		require("fs").writeFileSync(file, await browser.stopTracing());
	},
	async download({ page, selector, file }) {
		const p = pages.get(page).page;
		const [download] = await Promise.all([p.waitForEvent("download"), p.click(selector)]);
		await download.saveAs(file);
		return download.suggestedFilename();
	},
	async close() {
		await browser?.close();
	},
};

/* "click" of the page, "keyboard.press", "context.setOffline" … */
async function call({ page, method, args }) {
	const entry = pages.get(page);
	const parts = method.split(".");
	let on = parts[0] === "context" ? entry.context : entry.page;
	if (parts[0] === "context") parts.shift();
	while (parts.length > 1) on = on[parts.shift()];
	const result = await on[parts[0]](...args);
	try {
		return JSON.parse(JSON.stringify(result ?? null));
	} catch {
		return null; // a handle
	}
}

readline.createInterface({ input: process.stdin }).on("line", async line => {
	const request = JSON.parse(line);
	let answer;
	try {
		answer = { id: request.id, result: await (own[request.op] ?? call)(request) };
	} catch (error) {
		answer = { id: request.id, error: error.message };
	}
	process.stdout.write(JSON.stringify(answer) + "\n");
});
process.stdin.on("close", () => own.close().finally(() => process.exit(0)));
