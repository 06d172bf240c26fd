/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Table of keys of one length that expire, compact enough for a million: open addressing, keyed
 * hash. Times are seconds on a clock of the caller's that starts above TIMED_FIRST.
 */
enum { TIMED_FIRST = 2 };

struct timed {
	uint8_t *slots;
	size_t cap; /* a power of two, or 0 */
	size_t count, used;
	size_t swept; /* where timed_sweep goes on */
	size_t key_len;
	uint8_t secret[16];
};

struct timed_entry {
	uint64_t bits;
	uint32_t expires_s;
};

/* -EIO: no random numbers. */
int timed_init(struct timed *t, size_t key_len);
void timed_fini(struct timed *t);
bool timed_get(const struct timed *t, const void *key, struct timed_entry *out);
/* Adds or replaces. -ENOMEM. */
int timed_set(struct timed *t, const void *key, struct timed_entry e);
void timed_remove(struct timed *t, const void *key);
/* Forgets what expired before now_s, looking at up to n slots from where the last call ended. */
void timed_sweep(struct timed *t, uint32_t now_s, size_t n);
/* for (size_t at = 0; timed_next(&t, &at, &key, &entry);) ; setting keys that are there and
 * removing is allowed meanwhile. */
bool timed_next(const struct timed *t, size_t *at, const uint8_t **key, struct timed_entry *out);
