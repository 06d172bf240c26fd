/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/resolver.h"
#include "common/tls.h"

/* How apid connects to servers that an administrator names: names are resolved by dnsd, and what
 * is private, of this host or special is connected to only when the configuration allows it. */
struct outside {
	uv_loop_t *loop;
	struct resolver *resolver;
	struct tls_ctx *tls; /* trusts the configured CAs */
	bool allow_private;
};

/* The addresses among v that may be connected to come first; how many. */
size_t outside_allowed(const struct outside *o, const struct addr *v, size_t n, struct addr *out);
