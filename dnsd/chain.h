/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/message.h"

/* The names that an answer leads to from the question by its CNAME records, in any order; what
 * belongs to none of them was not asked for. Longer chains end at the bound. */
#define CHAIN_MAX	  17 /* with the question's own */
#define CHAIN_ALIASES_MAX 64 /* of one answer, also those of names that nobody asked for */

struct chain {
	struct name names[CHAIN_MAX];
	unsigned count;
};

/* Reads the `count` records of the answer section, which begins at pos. -EBADMSG, also for more
 * aliases than anybody has; then the chain is the question alone. */
int chain_read(const uint8_t *msg, size_t len, size_t pos, unsigned count,
	const struct name *question, struct chain *out);
/* A record of one of the names, or the DNAME (or its signature) of a domain that one is in. */
bool chain_has(const struct chain *c, const struct message_rr *rr);
