// SPDX-License-Identifier: GPL-3.0-or-later
// /ws/live and /ws/stats: connected again whenever it ends, ever later, at once when the network is back.

import { get, on } from "./api.js";

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
		clearTimeout(timer);
		timer = setTimeout(probe, wait);
		wait = Math.min(wait * 2, LAST_MS);
	}

	/* Is the gateway there, and are we logged in? Else the API asks for that, and tells when it is so. */
	async function probe() {
		try {
			await get("/auth/me", { once: true });
		} catch (error) {
			if (error.status !== 401) again();
			return;
		}
		begin();
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
			onopen?.(message => mine.readyState === WebSocket.OPEN && mine.send(JSON.stringify(message)));
		};
		mine.onmessage = event => { if (socket === mine) onmessage(JSON.parse(event.data)); };
		mine.onclose = () => { if (socket === mine) again(); };
	}

	const now = () => {
		if (signal.aborted || (socket && socket.readyState < WebSocket.CLOSING)) return;
		wait = FIRST_MS;
		clearTimeout(timer);
		probe();
	};
	const off = on("login", now);
	window.addEventListener("online", now);
	signal.addEventListener("abort", () => {
		window.removeEventListener("online", now);
		off();
		clearTimeout(timer);
		const last = socket;
		socket = null;
		last?.close();
	});
	begin();
}
