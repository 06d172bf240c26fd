// SPDX-License-Identifier: GPL-3.0-or-later
// Letting a website through for one device, for a while.

import { change } from "./api.js";
import { t } from "./text.js";
import { makeForm } from "./form.js";
import { formDialog } from "./dialog.js";

const UNTIL = [["15", "until.15m"], ["60", "until.1h"], ["240", "until.4h"], ["1440", "until.1d"], ["", "until.ever"]];

/* Asks for a website and lets it through for a while. */
export async function unblock(device, pattern = "") {
	const form = makeForm([
		{ name: "pattern", kind: "text", required: true, placeholder: "example.org" },
		{ name: "action", kind: "segments", choices: ["allow", "block"], initial: "allow" },
		{ name: "for", kind: "choice", required: true, choices: UNTIL.map(([v, key]) => [v, t(key)]) },
	], { pattern, for: "60" }, "override");
	return formDialog({
		title: t("override.new"), form, action: t("override.do"),
		save(value) {
			const pattern = value.pattern ?? "", match = /[/*]/.test(pattern) ? "startswith" : "endswith";
			if (value.for && value.action === "allow") return change("POST", `/api/v1/devices/${encodeURIComponent(device.id)}/unblock`, { pattern, match, minutes: Number(value.for) });
			return change("POST", "/api/v1/site-overrides", { device: device.id, pattern, match, action: value.action, ...(value.for ? { until: Date.now() + Number(value.for) * 60000 } : {}) });
		},
	}).done;
}
