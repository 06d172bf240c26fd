/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Before anything is painted: the theme that was chosen here, else the system's. */
"use strict";
(() => {
	let chosen = null;
	try {
		chosen = localStorage.getItem("culvert-theme");
	} catch {
		/* Storage may be forbidden: then it is the system's. */
	}
	const dark = chosen ? chosen === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
	document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
