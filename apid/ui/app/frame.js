// SPDX-License-Identifier: GPL-3.0-or-later
// Navigation and the router: #/page/args?query.

import { el, fill, icon, name } from "./dom.js";
import { get, isAway, logout, may, me, on } from "./api.js";
import { find, GROUPS, PAGES } from "./nav.js";
import { t } from "./text.js";
import { button, failed, ghost } from "./ui.js";
import { open } from "./dialog.js";
import { listenKeys } from "./keys.js";
import { forceMark } from "./force.js";

const COUNT_MS = 30000;
let main, current = null;
const counts = new Map();

/* A number beside a page's name; 0 takes it away. */
export function setCount(page, n) {
	counts.set(page, n);
	for (const node of document.querySelectorAll(`[data-count="${page}"]`)) {
		node.hidden = !n;
		node.textContent = n > 99 ? "99+" : n;
	}
}

export const visiblePages = () => PAGES.filter(p => (!p.role || may(p.role)) && !(p.whole && me().groups));

function link(page) {
	const n = counts.get(page.id);
	return el("li", {}, el("a", { href: `#/${page.id}`, "data-page": page.id },
		icon(page.id), t("nav." + page.id),
		el("span", { class: "count", "data-count": page.id, hidden: !n }, n ?? "")));
}

function themeButton() {
	const now = () => document.documentElement.dataset.theme;
	const node = button("", {
		icon: now() === "dark" ? "sun" : "moon", kind: "quiet", label: t("theme"), onclick: () => {
			const next = now() === "dark" ? "light" : "dark";
			document.documentElement.dataset.theme = next;
			try {
				localStorage.setItem("culvert-theme", next);
			} catch {
				// Then it lasts as long as the page does.
			}
			for (const b of document.querySelectorAll("[data-theme-button]")) fill(b, icon(next === "dark" ? "sun" : "moon"));
		},
	});
	node.dataset.themeButton = "";
	return node;
}

const brand = () => el("a", { class: "brand", href: "#/overview" }, el("img", { src: new URL("icon.svg", import.meta.url).pathname, alt: "" }), "Culvert");

function nav() {
	return el("nav", { class: "nav", "aria-label": t("nav.label") }, brand(),
		GROUPS.map(group => {
			const pages = visiblePages().filter(p => p.group === group);
			return pages.length ? [el("h2", { id: null }, t("nav.group." + group)), el("ul", {}, pages.map(link))] : null;
		}),
		el("div", { class: "nav-end" },
			el("a", { class: "who", href: "#/me" }, name(me().name), el("span", { class: "dim small" }, t("role." + me().role))),
			themeButton(),
			button("", { icon: "out", kind: "quiet", label: t("logout"), onclick: logout_ })));
}

/* What was shown goes at once, here and in the browser's other tabs. */
const tabs = new BroadcastChannel("culvert-logout");
tabs.onmessage = () => leave();

function leave() {
	fill(document.body);
	history.replaceState(null, "", location.pathname);
	location.reload();
}

async function logout_() {
	await logout();
	tabs.postMessage("");
	leave();
}

function mobileTop() {
	return el("header", { class: "top" },
		button("", { icon: "menu", kind: "quiet", label: t("nav.open"), onclick: openDrawer }), brand(), themeButton());
}

let drawer = null;
function openDrawer() {
	const content = nav();
	drawer = open({ drawer: true, label: t("nav.label"), body: content, onclose: () => { drawer = null; } });
	content.addEventListener("click", event => { if (event.target.closest("a")) drawer?.close(); });
	markCurrent();
}

function markCurrent() {
	for (const a of document.querySelectorAll("[data-page]")) {
		if (a.dataset.page === current?.id) a.setAttribute("aria-current", "page");
		else a.removeAttribute("aria-current");
	}
}

export function showFrame() {
	main = el("main", { id: "main", tabindex: "-1" });
	const banner = el("div", { class: "banner", role: "status", hidden: !isAway() }, icon("warning"), t("away"));
	on("offline", is => { banner.hidden = !is; });
	fill(document.body,
		el("a", { class: "skip", href: "#main", onclick: e => { e.preventDefault(); main.focus(); } }, t("skip")),
		el("div", { class: "frame" }, nav(), el("div", { class: "side" }, mobileTop(), banner, main)), forceMark());
	window.addEventListener("hashchange", route);
	listenKeys();
	watchAppeals();
	route();
}

/* Appeals that wait are seen on every page. */
async function watchAppeals() {
	try {
		if (!document.hidden) setCount("appeals", (await get("/api/v1/appeal-counts", { once: true, quiet: true })).pending);
	} catch {
		// Whoever asks for something in earnest is told.
	}
	setTimeout(watchAppeals, COUNT_MS);
}

function parse() {
	const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
	let args = [];
	try {
		args = path.split("/").filter(Boolean).map(decodeURIComponent);
	} catch {
		// Not well-formed: the first page.
	}
	return { id: args.shift() ?? "overview", args, query: new URLSearchParams(query ?? "") };
}

/* Draws the page of the address anew. */
export async function route() {
	const { id, args, query } = parse();
	const isFirst = !current;
	current?.abort.abort();
	const mine = (current = { id, abort: new AbortController() });
	const page = {
		args, query, signal: mine.abort.signal, root: el("div", { class: "stack" }),
		onleave: f => mine.abort.signal.addEventListener("abort", f),
		open: address => { location.hash = address; },
		again: route,
	};
	fill(main, page.root);
	page.root.append(ghost());
	markCurrent();
	try {
		const known = find(id) ?? ["me", "welcome"].includes(id);
		if (!known) throw Object.assign(new Error(t("failed.page")), { status: 404 });
		const module = await import(`../pages/${id}.js`);
		if (current !== mine) return;
		page.root.replaceChildren();
		await module.show(page);
	} catch (error) {
		if (error.name === "AbortError" || current !== mine) return;
		if (error.status === undefined) console.error(error);
		fill(page.root, error instanceof TypeError && /import|module/i.test(error.message) ? failed(Object.assign(new Error(t("failed.version")), { status: 0 }), () => location.reload(), true) : failed(error, route, true));
	}
	if (current === mine && !isFirst) {
		window.scrollTo(0, 0);
		main.querySelector("h1")?.focus({ preventScroll: true });
	}
}
