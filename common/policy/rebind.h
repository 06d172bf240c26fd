/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/policy/settings.h"
#include <stdbool.h>

/*
 * Addresses that a public name has no business to lead to (SPEC D7, rebinding): loopback, private,
 * link-local, unspecified, the LAN of the settings, the gateway's own; also inside IPv6 forms that
 * stand for an IPv4 address (NAT64, 6to4, mapped, compatible).
 */
struct rebind {
	struct prefix *own; /* of the gateway's tunnels and settings.lan_prefixes, where the
			       built-in ones do not cover them */
	size_t own_count;
};

/* By the built-in table alone. */
bool rebind_is_private(const struct addr *a);
/* By that table or the LAN of the settings. */
bool rebind_is_inside(const struct settings *s, const struct addr *a);

void rebind_fini(struct rebind *r);
/* Takes over what is beyond the built-in table. -ENOMEM, then the former ones stay. */
int rebind_set(struct rebind *r, const struct conf_shared *conf, const struct settings *s);
/* Is it one, by the built-in table or by what was set? */
bool rebind_is_found(const struct rebind *r, const struct addr *a);
/* Names that may lead there: those of settings.rebind_exceptions and below, and names that are
 * never public (home.arpa, internal, local). name is lower-case text. */
bool rebind_is_exempt(const struct settings *s, const char *name, size_t len);
