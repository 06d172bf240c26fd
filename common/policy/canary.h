/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include <stddef.h>

/* Names that are the same for every device: canaries that switch a client's own encrypted DNS off,
 * and the names of public encrypted resolvers. dnsd answers none of them (SPEC D4), proxyd lets no
 * intercepted connection to them (P3). */
enum canary_kind {
	CANARY_NONE,
	CANARY_NXDOMAIN,
	CANARY_NODATA,
	CANARY_BLOCK, /* a resolver's name: blocked as a listed name is */
};

struct canary {
	struct hmap names; /* name → its row of the built-in table */
};
/* -ENOMEM */
int canary_init(struct canary *c);
void canary_fini(struct canary *c);
/* name: lower-case text without the final dot. What lies below a name of the table is like it. */
enum canary_kind canary_find(const struct canary *c, const char *name, size_t len);
