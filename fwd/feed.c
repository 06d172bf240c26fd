/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/feed.h"

#include "fwd/feed_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	START_S = 1000, /* of the clock: above every TIMED_FIRST and GRACE_S */
	GRACE_S = 5,	/* the kernel's element ends a little later than ours */
	SWEEP_PARTS = 60,
	CHUNK = 1000,
	AT_ONCE = 5000,
};

static const size_t key_lens[FEED_TABLES] = { 4, 16, 8, 32, 4, 16 };

int feed_init(struct feed *f)
{
	*f = (struct feed){ .now_s = START_S };
	hmap_init(&f->changes, free);
	hmap_init(&f->gone, NULL);
	int err = 0;
	for (int i = 0; i < FEED_TABLES && !err; i++)
		err = timed_init(&f->tables[i], key_lens[i]);
	return err;
}

void feed_fini(struct feed *f)
{
	for (int i = 0; i < FEED_TABLES; i++)
		timed_fini(&f->tables[i]);
	hmap_fini(&f->changes);
	hmap_fini(&f->gone);
}

void feed_set_clock(struct feed *f, uint64_t mono_ms)
{
	f->now_s = (uint32_t)(START_S + mono_ms / 1000);
}

static enum feed_table by_family(const struct addr *a, enum feed_table v4)
{
	return a->family == AF_INET ? v4 : (enum feed_table)(v4 + 1);
}

/* ---- changes ---- */

struct change_key {
	uint8_t table;
	uint8_t key[32];
};

/* Remembers what the kernel has before the first change since the last commit. */
static struct feed_change *find_change(
	struct feed *f, enum feed_table id, const void *key, const struct timed_entry *old)
{
	struct change_key k = { .table = (uint8_t)id };
	memcpy(k.key, key, key_lens[id]);
	struct feed_change *c = hmap_find(&f->changes, &k, sizeof(k));
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->table = id;
	c->old_bits = old ? old->bits : 0;
	c->had = old != NULL;
	memcpy(c->key, key, key_lens[id]);
	if (hmap_set(&f->changes, &k, sizeof(k), c)) {
		free(c);
		return NULL;
	}
	return c;
}

/* The entry as far as the kernel can have it. */
static bool get(const struct feed *f, enum feed_table id, const void *key, struct timed_entry *out)
{
	return timed_get(&f->tables[id], key, out) && out->expires_s + GRACE_S >= f->now_s;
}

static int put(struct feed *f, enum feed_table id, const void *key, const struct timed_entry *old,
	const struct timed_entry *fresh)
{
	struct timed *t = &f->tables[id];
	if (fresh && !old && t->count >= FEED_MAX)
		return -ENOSPC;
	struct feed_change *c = find_change(f, id, key, old);
	if (!c)
		return -ENOMEM;
	int err = fresh ? timed_set(t, key, *fresh) : 0;
	if (!fresh)
		timed_remove(t, key);
	if (err) {
		/* What the kernel has stays; the change becomes one to the same. */
		c->has = old != NULL;
		c->bits = old ? old->bits : 0;
		c->expires_s = old ? old->expires_s : 0;
		return err;
	}
	c->has = fresh != NULL;
	c->bits = fresh ? fresh->bits : 0;
	c->expires_s = fresh ? fresh->expires_s : 0;
	return 0;
}

static uint32_t bounded(int64_t ttl_s, int64_t min)
{
	if (ttl_s < min)
		ttl_s = min;
	return (uint32_t)(ttl_s > FEED_TTL_MAX_S ? FEED_TTL_MAX_S : ttl_s);
}

static int add(struct feed *f, enum feed_table id, const void *key, uint64_t bits, uint32_t ttl_s,
	bool *is_new)
{
	struct timed_entry old = { 0 };
	bool had = get(f, id, key, &old);
	bool alive = had && old.expires_s > f->now_s;
	if (is_new)
		*is_new = !alive || (bits & ~old.bits);
	/* Refreshed a moment ago. */
	if (alive && !(bits & ~old.bits) && old.expires_s >= f->now_s + ttl_s - ttl_s / 10)
		return 0;
	struct timed_entry fresh = { .bits = bits | (alive ? old.bits : 0),
		.expires_s = f->now_s + ttl_s };
	if (had && old.expires_s > fresh.expires_s)
		fresh.expires_s = old.expires_s;
	return put(f, id, key, had ? &old : NULL, &fresh);
}

static int take(struct feed *f, enum feed_table id, const void *key)
{
	struct timed_entry old;
	if (!get(f, id, key, &old))
		return 0;
	return put(f, id, key, &old, NULL);
}

static int clear(struct feed *f, enum feed_table id, const void *key, const struct timed_entry *old,
	uint64_t bits)
{
	struct timed_entry fresh = *old;
	fresh.bits &= ~bits;
	if (fresh.bits == old->bits)
		return 0;
	return put(f, id, key, old, fresh.bits ? &fresh : NULL);
}

/* ---- kinds ---- */

int feed_list(struct feed *f, const struct addr *a, uint64_t bits, int64_t ttl_s, bool *is_new)
{
	return add(f, by_family(a, FEED_LISTED4), a->bytes, bits, bounded(ttl_s, FEED_TTL_MIN_S),
		is_new);
}

void feed_unlist(struct feed *f, const struct addr *a, uint64_t bits)
{
	enum feed_table id = by_family(a, FEED_LISTED4);
	struct timed_entry old;
	if (get(f, id, a->bytes, &old))
		clear(f, id, a->bytes, &old, bits);
}

int feed_clear_bits(struct feed *f, uint64_t bits)
{
	int err = 0;
	for (enum feed_table id = FEED_LISTED4; id <= FEED_LISTED6; id++) {
		const uint8_t *key;
		struct timed_entry e;
		for (size_t at = 0; !err && timed_next(&f->tables[id], &at, &key, &e);)
			err = clear(f, id, key, &e, bits);
	}
	return err;
}

struct pair {
	uint8_t bytes[32];
};

static struct pair make_pair(const struct addr *device, const struct addr *to)
{
	struct pair p = { 0 };
	size_t len = addr_len(device);
	memcpy(p.bytes, device->bytes, len);
	memcpy(p.bytes + len, to->bytes, len);
	return p;
}

/* One pass for all of them. */
static void forget_gone(struct feed *f)
{
	int err = 0;
	if (!f->gone.count)
		return;
	for (enum feed_table id = FEED_STRICT4; id <= FEED_STRICT6; id++) {
		const uint8_t *key;
		struct timed_entry e;
		for (size_t at = 0; timed_next(&f->tables[id], &at, &key, &e);)
			if (hmap_find(&f->gone, key, key_lens[id] / 2) && put(f, id, key, &e, NULL))
				err = -ENOMEM;
	}
	if (!err) /* else with the next transaction */
		hmap_clear(&f->gone);
}

int feed_allow(struct feed *f, const struct addr *device, const struct addr *to, int64_t ttl_s)
{
	/* What is told now is for whoever has the address now. */
	if (hmap_find(&f->gone, device->bytes, addr_len(device)))
		forget_gone(f);
	struct pair p = make_pair(device, to);
	return add(f, by_family(device, FEED_STRICT4), p.bytes, 0, bounded(ttl_s, FEED_STRICT_S),
		NULL);
}

void feed_deny(struct feed *f, const struct addr *device, const struct addr *to)
{
	struct pair p = make_pair(device, to);
	take(f, by_family(device, FEED_STRICT4), p.bytes);
}

int feed_renew(struct feed *f, const struct addr *a, int64_t ttl_s)
{
	return add(
		f, by_family(a, FEED_RENEWAL4), a->bytes, 0, bounded(ttl_s, FEED_RENEWAL_S), NULL);
}

void feed_unrenew(struct feed *f, const struct addr *a)
{
	take(f, by_family(a, FEED_RENEWAL4), a->bytes);
}

uint64_t feed_lists_with(const struct feed *f, const struct addr *a)
{
	struct timed_entry e;

	return get(f, by_family(a, FEED_LISTED4), a->bytes, &e) ? e.bits : 0;
}

bool feed_is_allowed(const struct feed *f, const struct addr *device, const struct addr *to)
{
	struct pair p = make_pair(device, to);
	struct timed_entry e;

	return device->family == to->family &&
	       !hmap_find(&f->gone, device->bytes, addr_len(device)) &&
	       get(f, by_family(device, FEED_STRICT4), p.bytes, &e);
}

int feed_forget_device(struct feed *f, const struct addr *device)
{
	if (!f->tables[by_family(device, FEED_STRICT4)].count)
		return 0;
	return hmap_set(&f->gone, device->bytes, addr_len(device), f);
}

void feed_sweep(struct feed *f)
{
	for (int i = 0; i < FEED_TABLES; i++)
		timed_sweep(&f->tables[i], f->now_s - GRACE_S,
			f->tables[i].cap / SWEEP_PARTS + SWEEP_PARTS);
}

static size_t count(const struct feed *f)
{
	size_t n = 0;
	for (int i = 0; i < FEED_TABLES; i++)
		n += f->tables[i].count;
	return n;
}

bool feed_has_more(const struct feed *f)
{
	return f->cursor.more || f->rewrite_due;
}

bool feed_is_dirty(const struct feed *f)
{
	return f->changes.count || f->rewrite_due || f->cursor.more || f->gone.count;
}

void feed_write(struct feed *f, struct nft_batch *b, bool with_rules)
{
	forget_gone(f);
	bool at_once = count(f) <= AT_ONCE;
	size_t room = CHUNK;
	f->next = f->cursor;
	/* To empty a large set takes its time, and rules do not wait for it. */
	f->postponed = f->rewrite_due && with_rules && !at_once;
	if (f->rewrite_due && !f->postponed) {
		if (!f->empty)
			feed_write_flush(b);
		f->next = (struct feed_cursor){ .more = true };
		room = at_once ? SIZE_MAX : CHUNK;
	}
	if (f->changes.count)
		feed_write_changes(f, b);
	if (f->next.more && !f->postponed)
		feed_write_some(f, b, &f->next, room);
}

void feed_committed(struct feed *f)
{
	hmap_clear(&f->changes);
	f->cursor = f->next;
	if (f->postponed)
		return;
	f->rewrite_due = f->empty = false;
}
