/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/webset_image.h"
#include <string.h>

/*
 * Where in a text a literal of an automaton may begin: nearly nowhere, so that the automaton is
 * walked only there. Bits for the first bytes of the literals: for the long ones hashed, for the
 * short ones exact.
 */
enum { STARTS_LONG = 6, STARTS_LONG_BITS = 19 };

struct webset_starts {
	uint64_t longs[(1u << STARTS_LONG_BITS) / 64];
	uint64_t shorts[65536 / 64]; /* by the first two bytes */
};

/* Of automaton `which` of an image that was checked; of a table of prefixes. NULL without memory.
 */
struct webset_starts *webset_starts_new(const struct webset *w, int which);
struct webset_starts *webset_starts_new_table(const struct webset *w, int table);

static inline uint32_t webset_starts_hash(const void *text)
{
	uint64_t x = 0;
	memcpy(&x, text, STARTS_LONG);
	return (uint32_t)((x * 0x9e3779b97f4a7c15ULL) >> (64 - STARTS_LONG_BITS));
}

static inline bool webset_starts_has(const struct webset_starts *s, const char *text, size_t len)
{
	if (len < 2)
		return true;
	uint32_t two = (uint32_t)(uint8_t)text[0] << 8 | (uint8_t)text[1];
	if (s->shorts[two / 64] >> two % 64 & 1)
		return true;
	if (len < STARTS_LONG)
		return false;
	uint32_t bit = webset_starts_hash(text);
	return s->longs[bit / 64] >> bit % 64 & 1;
}
