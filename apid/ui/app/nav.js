// SPDX-License-Identifier: GPL-3.0-or-later
// What pages there are. role: the least that sees it.

export const GROUPS = ["look", "people", "filter", "act", "system"];

export const PAGES = [
	{ id: "overview", group: "look" },
	{ id: "devices", group: "people" },
];

export const find = id => PAGES.find(p => p.id === id);
