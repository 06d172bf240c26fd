/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The usual ways to keep names that stand for all below them, to compare the domain set with. Each
 * knows names only: no lists, kinds or exceptions. */

struct text {
	const char *p;
	uint32_t len;
};

/* Built over names that stay the caller's; find: is the name or one above it in there? */
struct naive {
	const char *name;
	void *(*build)(const struct text *names, size_t n);
	bool (*find)(const void *set, const char *name, size_t len);
	double (*bytes)(const void *set); /* of memory, copies of the names included */
	void (*release)(void *set);
};

/* Names from their end, sorted; a binary search for each suffix. */
extern const struct naive naive_sorted;
/* An open-addressing table of strings, half full; a probe for each suffix. */
extern const struct naive naive_hash;
/* A trie of labels, its edges in one open-addressing table. */
extern const struct naive naive_trie;
