/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/limiter.h"
#include "common/timer.h"

#include <stdlib.h>

enum { KEYS_MAX = 20000 };
enum { LOCK_FIRST_S = 30, LOCK_LAST_S = 900, FORGET_MS = 3600 * 1000 };

void limiter_init(struct limiter *l, uint32_t rate, uint32_t burst)
{
	hmap_init(&l->full_at, NULL);
	l->interval_us = rate ? 1000000 / rate : 0;
	l->burst_us = l->interval_us * (burst ? burst : 1);
	l->swept_us = 0;
}

void limiter_fini(struct limiter *l)
{
	hmap_fini(&l->full_at);
}

/* At most once a second: many new keys are not to cost a look at all of them each. */
static void drop_idle(struct limiter *l, uint64_t now)
{
	if (now - l->swept_us < 1000000)
		return;
	l->swept_us = now;
	hmap_foreach (&l->full_at, it) {
		if ((uintptr_t)it.value <= now)
			hmap_take(&l->full_at, it.key, it.len);
	}
}

unsigned limiter_take(struct limiter *l, const void *key, size_t len)
{
	uint64_t now = clock_mono_ms() * 1000, at;

	if (!l->interval_us)
		return 0;
	at = (uintptr_t)hmap_find(&l->full_at, key, len);
	if (at < now)
		at = now;
	at += l->interval_us;
	if (at > now + l->burst_us)
		return (unsigned)((at - now - l->burst_us) / 1000000) + 1;
	if (l->full_at.count >= KEYS_MAX)
		drop_idle(l, now);
	/* A table full of keys that are all at work: whoever is new waits. */
	if (l->full_at.count >= KEYS_MAX && !hmap_find(&l->full_at, key, len))
		return 1;
	return hmap_set(&l->full_at, key, len, (void *)(uintptr_t)at) ? 1 : 0;
}

struct failures {
	unsigned n;
	uint64_t last, until; /* monotonic ms */
};

void lockout_init(struct lockout *l)
{
	hmap_init(&l->entries, free);
	l->swept = 0;
}

void lockout_fini(struct lockout *l)
{
	hmap_fini(&l->entries);
}

static struct failures *find(struct lockout *l, const void *key, size_t len, uint64_t now)
{
	struct failures *f = hmap_find(&l->entries, key, len);

	if (!f || now - f->last <= FORGET_MS)
		return f;
	hmap_remove(&l->entries, key, len);
	return NULL;
}

unsigned lockout_left(struct lockout *l, const void *key, size_t len)
{
	uint64_t now = clock_mono_ms();
	struct failures *f = find(l, key, len, now);

	return f && f->until > now ? (unsigned)((f->until - now + 999) / 1000) : 0;
}

/* At most once a second. */
static void forget_old(struct lockout *l, uint64_t now)
{
	if (now - l->swept < 1000)
		return;
	l->swept = now;
	hmap_foreach (&l->entries, it) {
		struct failures *f = it.value;

		if (f->until <= now)
			hmap_remove(&l->entries, it.key, it.len);
	}
}

bool lockout_fail(struct lockout *l, const void *key, size_t len)
{
	uint64_t now = clock_mono_ms(), lock_s = LOCK_FIRST_S;
	struct failures *f = find(l, key, len, now);

	if (!f) {
		if (l->entries.count >= KEYS_MAX)
			forget_old(l, now);
		f = l->entries.count < KEYS_MAX ? calloc(1, sizeof(*f)) : NULL;
		if (!f || hmap_set(&l->entries, key, len, f)) {
			free(f);
			return false;
		}
	}
	f->n++;
	f->last = now;
	if (f->n < LOCKOUT_FREE)
		return false;
	for (unsigned i = LOCKOUT_FREE; i < f->n && lock_s < LOCK_LAST_S; i++)
		lock_s *= 2;
	f->until = now + (lock_s < LOCK_LAST_S ? lock_s : LOCK_LAST_S) * 1000;
	return true;
}

void lockout_clear(struct lockout *l, const void *key, size_t len)
{
	hmap_remove(&l->entries, key, len);
}

void lockout_undo(struct lockout *l, const void *key, size_t len)
{
	struct failures *f = find(l, key, len, clock_mono_ms());

	if (!f)
		return;
	if (f->n)
		f->n--;
	if (f->n < LOCKOUT_FREE)
		f->until = 0;
}
