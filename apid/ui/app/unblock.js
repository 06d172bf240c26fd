// SPDX-License-Identifier: GPL-3.0-or-later
// Letting a website through for one device, for a while.

import { change } from "./api.js";
import { t } from "./text.js";
import { makeForm } from "./form.js";
import { formDialog } from "./dialog.js";

const UNTIL = [["900000", "until.15m"], ["3600000", "until.1h"], ["14400000", "until.4h"], ["86400000", "until.1d"], ["", "until.ever"]];

/* Asks for a website and lets it through for a while. */
export async function unblock(device, pattern = "") {
	const form = makeForm([
		{ name: "pattern", kind: "text", required: true, placeholder: "example.org" },
		{ name: "action", kind: "segments", choices: ["allow", "block"], initial: "allow" },
		{ name: "for", kind: "choice", required: true, choices: UNTIL.map(([v, key]) => [v, t(key)]) },
	], { pattern, for: "3600000" }, "override");
	return formDialog({
		title: t("override.new"), form, action: t("override.do"),
		save(value) {
			const record = { device: device.id, pattern: value.pattern ?? "", match: /[/*]/.test(value.pattern ?? "") ? "startswith" : "endswith", action: value.action };
			if (value.for) record.until = Date.now() + Number(value.for);
			return change("POST", "/api/v1/site-overrides", record);
		},
	}).done;
}
