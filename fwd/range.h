/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets of addresses of one family as ranges, for interval sets of the kernel. */
struct range {
	uint8_t from[16], to[16]; /* both ends belong to it; network order, first addr_len bytes */
};

struct ranges {
	struct range *v;
	size_t n, cap;
	size_t addr_len; /* 4 or 16; 2 for ports */
};

void ranges_init(struct ranges *r, int family);
void ranges_fini(struct ranges *r);
/* A prefix of the other family is left out. -ENOMEM. */
int ranges_add(struct ranges *r, const struct prefix *p);
int ranges_add_range(struct ranges *r, const struct range *one);
/* Sorted, overlapping and adjacent ones joined. */
void ranges_normalise(struct ranges *r);
/* Every address that is in none of the normalised from; out needs no preparation. -ENOMEM. */
int ranges_complement(const struct ranges *from, struct ranges *out);
/* The address after it; false when there is none. */
bool range_successor(const uint8_t *addr, size_t addr_len, uint8_t *out);
