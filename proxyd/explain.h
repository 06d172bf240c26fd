/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

struct proxy;

/*
 * Request `explain` (SPEC A8): what would become of a URL of a device, intercepted and by the
 * explicit proxy, with every step that this process would take. Judged by the functions that judge
 * the device's connections. Answered:
 *   {"host", "port", "https",
 *    "addresses": [{"address", "allowed", "why"}], "resolved": text when the name has none,
 *    "intercept": PATH, "proxy": PATH}
 *   PATH {"acts": false when the connection does not come this way, "steps": [explain.h],
 *    "verdict", "by": the step that decided it,
 *    "decrypted", "own" (the gateway answers it itself), "images", "words": hide or show,
 *    "safe_search": google, bing …; absent where they are not about it}
 * Errors: unknown_device, bad_url, busy. 0 or -errno.
 */
int explain_serve(struct proxy *p);
