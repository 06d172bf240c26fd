// SPDX-License-Identifier: GPL-3.0-or-later
// What pages there are. role: the least that sees it; whole: not for accounts that are limited to groups.

export const GROUPS = ["look", "people", "filter", "act", "system"];

export const PAGES = [
	{ id: "overview", group: "look" },
	{ id: "live", group: "look" },
	{ id: "report", group: "look" },
	{ id: "devices", group: "people" },
	{ id: "users", group: "people" },
	{ id: "groups", group: "people" },
	{ id: "lists", group: "filter" },
	{ id: "websites", group: "filter" },
	{ id: "words", group: "filter" },
	{ id: "dns", group: "filter" },
	{ id: "firewall", group: "filter" },
	{ id: "appeals", group: "act" },
	{ id: "explain", group: "act" },
	{ id: "sync", group: "system" },
	{ id: "health", group: "system" },
	{ id: "audit", group: "system", role: "admin", whole: true },
	{ id: "accounts", group: "system", role: "owner" },
	{ id: "keys", group: "system" },
	{ id: "settings", group: "system" },
];

export const find = id => PAGES.find(p => p.id === id);
