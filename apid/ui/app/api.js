// SPDX-License-Identifier: GPL-3.0-or-later
// The one way to the API (/api/openapi.json): session cookie, CSRF token, problems as exceptions.

import { plain } from "./dom.js";
import { t } from "./text.js";

let csrf = null;
const listeners = { login: [], logout: [], offline: [], change: [] };

/* on("login" | "logout" | "offline" | "change", f): somebody has logged in; the session has ended; the gateway is (true) or is not (false)
 * out of reach; something was changed, with its path. */
export function on(event, f) {
	listeners[event].push(f);
	return () => listeners[event].splice(listeners[event].indexOf(f), 1);
}

function tell(event, ...what) {
	for (const f of [...listeners[event]]) f(...what);
}

/* What the API answered instead of doing it. `message` is for people. fields: name → what is wrong. */
export class Problem extends Error {
	constructor(status, body, retry) {
		super(body?.detail ? sentence(body.detail) : t("problem." + status) === "problem." + status ? t("problem.other", { status }) : t("problem." + status));
		this.status = status;
		this.code = body?.code;
		this.retry = retry;
		this.fields = {};
		for (const e of body?.errors ?? []) this.fields[e.pointer.split("/")[1] ?? e.pointer] = plain(e.reason, 400);
	}
}

const sentence = said => {
	const text = plain(said, 400);
	return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
};
const sleep = (ms, signal) => new Promise((done, fail) => {
	const timer = setTimeout(done, ms);
	signal?.addEventListener("abort", () => { clearTimeout(timer); fail(signal.reason); });
});

const PROBE_MS = 2000;
let away = false, probe = null;
function setAway(is) {
	if (away === is) return;
	away = is;
	probeIn(PROBE_MS);
	tell("offline", is);
}
export const isAway = () => away;

/* Out of reach, the gateway is asked again until it answers. */
function probeIn(ms) {
	clearTimeout(probe);
	if (away) probe = setTimeout(() => send("GET", "/auth/me").catch(() => probeIn(PROBE_MS)), ms);
}
window.addEventListener("online", () => probeIn(0));

async function send(method, path, body, { etag, signal, accept, ifNone } = {}) {
	const headers = { Accept: accept ?? "application/json" };
	if (body !== undefined) headers["Content-Type"] = "application/json";
	if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
	if (etag) headers["If-Match"] = etag;
	if (ifNone) headers["If-None-Match"] = "*";
	try {
		const answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "same-origin", redirect: "error" });
		const type = answer.headers.get("Content-Type") ?? "";
		const data = type.includes("json") ? await answer.json() : await answer.text();
		setAway(false);
		return { status: answer.status, etag: answer.headers.get("ETag"), data, retry: Number(answer.headers.get("Retry-After")) || 0 };
	} catch (error) {
		if (error.name === "AbortError") throw error;
		setAway(true);
		throw new Problem(0, { detail: t("problem.0") });
	}
}

const TRIES = 4;

/* A change was refused: has another of the browser's tabs logged in again? Then this one goes on with that session;
 * but never as another account. */
async function isAnotherSession() {
	const found = await send("GET", "/auth/me");
	if (found.status !== 200) return false;
	if (found.data.name !== account.name) throw new Problem(403, { detail: t("problem.account", { name: found.data.name }) });
	const old = csrf;
	await take(found.data);
	return csrf !== old;
}

/* Reading may be tried again; a change never is, unless it was refused before it was looked at. */
async function request(method, path, body, options = {}) {
	for (let left = method === "GET" && !options.once ? TRIES : 1; ; left--) {
		let answer, failure;
		try {
			answer = await send(method, path, body, options);
		} catch (error) {
			if (!(error instanceof Problem)) throw error;
			failure = error;
		}
		if (answer && answer.status < 400) return answer;
		failure ??= new Problem(answer.status, answer.data, answer.retry);
		if (failure.status === 401 && !options.quiet) tell("logout");
		if (failure.status === 403 && method !== "GET" && account && !options.renewed && await isAnotherSession()) return request(method, path, body, { ...options, renewed: true });
		if (left <= 1 || ![0, 429, 503].includes(failure.status)) throw failure;
		await sleep(Math.min(failure.retry || TRIES - left + 0.5, 5) * 1000, options.signal);
	}
}

export async function get(path, options) {
	return (await request("GET", path, undefined, options)).data;
}

/* With its ETag, to be handed to change(). */
export const read = (path, options) => request("GET", path, undefined, options);

/* Changes a record, and gives it back with its new ETag. */
export async function write(method, path, body, options) {
	const answer = await request(method, path, body, options);
	if (path.startsWith("/api/")) tell("change", path, answer.data);
	return answer;
}

/* POST, PUT, PATCH, DELETE. options.etag: only if it is still that. */
export const change = async (...what) => (await write(...what)).data;

/* All records of a paged resource, page by page: onPage(records, all so far). */
export async function all(path, { signal, onPage, limit = 500, max = Infinity } = {}) {
	const found = [];
	let cursor = "";
	do {
		const url = `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${cursor && "&cursor=" + encodeURIComponent(cursor)}`;
		const page = await get(url, { signal });
		for (const record of page.items) found.push(record);
		onPage?.(page.items, found);
		cursor = page.next;
	} while (cursor && found.length < max);
	return found;
}

/* ---- who is at it ---- */

let account = null;
export const me = () => account;

/* May the account change what roles "owner", "admin", "helper" may? */
const RANK = { viewer: 0, helper: 1, admin: 2, owner: 3 };
export const may = role => account && RANK[account.role] >= RANK[role];

async function take(found) {
	account = found;
	csrf = found.csrf ?? (await get("/auth/csrf", { quiet: true })).csrf;
	return account;
}

/* The account of the session that the browser has; null: none. */
export async function resume() {
	try {
		return await take(await get("/auth/me", { quiet: true }));
	} catch (error) {
		if (error.status !== 401) throw error;
		return null;
	}
}

export async function login(user, password, totp) {
	const body = { user, password };
	if (totp) body.totp = totp;
	await take((await request("POST", "/auth/login", body, { quiet: true })).data);
	tell("login");
}

/* Also where the session has ended already. */
export async function logout() {
	try {
		await request("POST", "/auth/logout", undefined, { quiet: true });
	} catch (error) {
		if (error.status !== 401) throw error;
	}
	account = csrf = null;
}

/* Asks again who one is: after a change of one's own account. */
export async function refresh() {
	return take(await get("/auth/me"));
}
