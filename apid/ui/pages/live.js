// SPDX-License-Identifier: GPL-3.0-or-later
import { head } from "../app/ui.js";
import { t } from "../app/text.js";
import { liveView } from "../app/live_view.js";

export function show(page) {
	page.root.append(head({ title: t("live.title"), about: t("live.about") }), liveView(page, { device: page.query.get("device") ?? "" }));
}
