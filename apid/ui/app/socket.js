// SPDX-License-Identifier: GPL-3.0-or-later
// /ws/live and /ws/stats: connected again whenever it ends, ever later, at once when the network is back.

import { get, isAway } from "./api.js";

const FIRST_MS = 500, LAST_MS = 8000;

/*
 * connect("/ws/live", {onmessage, onstate, onopen, signal}): onmessage(object); onstate("connecting" |
 * "open" | "waiting"); onopen(send) after every connection. Ends with the signal.
 */
export function connect(path, { onmessage, onstate, onopen, signal }) {
	let socket = null, timer = null, wait = FIRST_MS;

	function again() {
		if (signal.aborted) return;
		onstate("waiting");
		timer = setTimeout(begin, wait);
		wait = Math.min(wait * 2, LAST_MS);
		// A session that has ended is told by the API, which asks to log in.
		get("/auth/me", { once: true }).catch(() => {});
	}

	function begin() {
		clearTimeout(timer);
		if (signal.aborted) return;
		onstate("connecting");
		socket = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")), "culvert.v1");
		const mine = socket;
		mine.onopen = () => {
			wait = FIRST_MS;
			onstate("open");
			if (isAway()) get("/auth/me", { once: true }).catch(() => {});
			onopen?.(message => mine.readyState === WebSocket.OPEN && mine.send(JSON.stringify(message)));
		};
		mine.onmessage = event => { if (socket === mine) onmessage(JSON.parse(event.data)); };
		mine.onclose = () => { if (socket === mine) again(); };
	}

	const now = () => {
		if (socket?.readyState === WebSocket.CLOSED || timer) {
			wait = FIRST_MS;
			if (socket?.readyState !== WebSocket.OPEN && socket?.readyState !== WebSocket.CONNECTING) begin();
		}
	};
	window.addEventListener("online", now);
	signal.addEventListener("abort", () => {
		window.removeEventListener("online", now);
		clearTimeout(timer);
		const last = socket;
		socket = null;
		last?.close();
	});
	begin();
}
