/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"

/*
 * How often something may happen per key (an address, an account): a token bucket each, kept as the
 * time at which it would be full again (GCRA). Memory is bounded: at most 20,000 keys.
 */
struct limiter {
	struct hmap full_at; /* key → monotonic µs */
	uint64_t interval_us, burst_us;
	uint64_t swept_us; /* when those that are full were taken out last */
};

/* rate per second, 0 = no limit; burst: how many at once. */
void limiter_init(struct limiter *l, uint32_t rate, uint32_t burst);
void limiter_fini(struct limiter *l);
/* May it happen now? 0, or the seconds (at least 1) after which it may. */
unsigned limiter_take(struct limiter *l, const void *key, size_t len);

/*
 * Failures per key that lock it: LOCKOUT_FREE are free, each further one locks for twice as long as
 * the one before, 30 s to 15 min. An hour without a failure forgets.
 */
enum { LOCKOUT_FREE = 5 };
struct lockout {
	struct hmap entries; /* at most 20,000: who is new when all are locked is not counted */
	uint64_t swept;	     /* monotonic ms; when those that are not locked were taken out last */
};
void lockout_init(struct lockout *l);
void lockout_fini(struct lockout *l);
/* Seconds for which the key is locked; 0 = it is not. */
unsigned lockout_left(struct lockout *l, const void *key, size_t len);
/* Counts a failure; true when it locked. */
bool lockout_fail(struct lockout *l, const void *key, size_t len);
/* One failure was none after all. */
void lockout_undo(struct lockout *l, const void *key, size_t len);
void lockout_clear(struct lockout *l, const void *key, size_t len);
