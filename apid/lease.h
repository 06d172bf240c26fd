/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"

/*
 * Which of several apid on one database publishes: the one that holds the row of table `publisher`,
 * LEASE_MS at a time by the database's clock, renewed every LEASE_RENEW_MS. Every holder gets a
 * higher number, the fence of its publications (bus_state_set_fence): who was stopped and goes on
 * can publish no more, whatever it believes. The row is replicated (Galera), so one at a time holds
 * it on all servers. Beside it the holder has a lock of its connection's server, which is free at
 * once when the connection ends: those on the same server need not wait until the row expires.
 */
enum { LEASE_MS = 3000, LEASE_RENEW_MS = 1000 };

struct lease {
	char id[33];	 /* of this process, random */
	uint64_t number; /* 0 = not held */
	uint64_t floor;	 /* the next number is above it */
	uint64_t until;	 /* on the loop's clock: not held any longer after that */
};

/* The statements of one try. */
struct lease_try {
	size_t held;
	uint64_t sent; /* on the loop's clock, ms */
	bool is_renewal;
};

int lease_init(struct lease *l); /* 0 or -errno */
/* Is it held, as far as one knows without the database? now: the loop's clock. */
bool lease_is_held(const struct lease *l, uint64_t now);
/* Is it time to renew it, or to try to get it? */
bool lease_is_due(const struct lease *l, uint64_t now);
/* Adds the statements that get or renew it; lease_take says what came of them: is it held now? */
void lease_add(const struct lease *l, struct db_batch *b, uint64_t now, struct lease_try *t);
bool lease_take(struct lease *l, const struct db_batch *b, const struct lease_try *t);
/* Not held any more; the next try is for a number of its own, above `floor`. */
void lease_lose(struct lease *l, uint64_t floor);
