/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/timed.h"

#include "common/random.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* expires_s of a slot that holds nothing; a removed one does not end a search. */
enum { EMPTY = 0, REMOVED = 1 };
enum { CAP_MIN = 64 };

static size_t slot_size(const struct timed *t)
{
	return sizeof(struct timed_entry) + (t->key_len + 7) / 8 * 8;
}

static struct timed_entry *slot_at(const struct timed *t, size_t i)
{
	return (struct timed_entry *)(void *)(t->slots + i * slot_size(t));
}

static uint8_t *slot_key(struct timed_entry *e)
{
	return (uint8_t *)(e + 1);
}

int timed_init(struct timed *t, size_t key_len)
{
	*t = (struct timed){ .key_len = key_len };
	return random_bytes(NULL, t->secret, sizeof(t->secret)) ? -EIO : 0;
}

void timed_fini(struct timed *t)
{
	free(t->slots);
	*t = (struct timed){ 0 };
}

static struct timed_entry *find(const struct timed *t, const void *key)
{
	if (!t->cap)
		return NULL;
	size_t i = siphash13(t->secret, key, t->key_len);
	for (;; i++) {
		struct timed_entry *e = slot_at(t, i & (t->cap - 1));
		if (e->expires_s == EMPTY)
			return NULL;
		if (e->expires_s != REMOVED && !memcmp(slot_key(e), key, t->key_len))
			return e;
	}
}

static void insert(struct timed *t, const void *key, struct timed_entry e)
{
	size_t i = siphash13(t->secret, key, t->key_len);
	struct timed_entry *slot;
	while ((slot = slot_at(t, i & (t->cap - 1)))->expires_s >= TIMED_FIRST)
		i++;
	t->used += slot->expires_s == EMPTY;
	t->count++;
	*slot = e;
	memcpy(slot_key(slot), key, t->key_len);
}

static int resize(struct timed *t)
{
	struct timed old = *t;
	size_t cap = CAP_MIN;
	while (cap < (t->count + 1) * 2)
		cap *= 2;
	t->slots = calloc(cap, slot_size(t));
	if (!t->slots) {
		t->slots = old.slots;
		return -ENOMEM;
	}
	t->cap = cap;
	t->count = t->used = t->swept = 0;
	for (size_t i = 0; i < old.cap; i++) {
		struct timed_entry *e = slot_at(&old, i);
		if (e->expires_s >= TIMED_FIRST)
			insert(t, slot_key(e), *e);
	}
	free(old.slots);
	return 0;
}

bool timed_get(const struct timed *t, const void *key, struct timed_entry *out)
{
	const struct timed_entry *e = find(t, key);
	if (e)
		*out = *e;
	return e != NULL;
}

int timed_set(struct timed *t, const void *key, struct timed_entry value)
{
	struct timed_entry *e = find(t, key);
	if (value.expires_s < TIMED_FIRST)
		value.expires_s = TIMED_FIRST;
	if (e) {
		*e = value;
		return 0;
	}
	if ((t->used + 1) * 4 > t->cap * 3) {
		int err = resize(t);
		if (err)
			return err;
	}
	insert(t, key, value);
	return 0;
}

static void remove_slot(struct timed *t, struct timed_entry *e)
{
	e->expires_s = REMOVED;
	t->count--;
}

void timed_remove(struct timed *t, const void *key)
{
	struct timed_entry *e = find(t, key);
	if (e)
		remove_slot(t, e);
}

void timed_sweep(struct timed *t, uint32_t now_s, size_t n)
{
	if (n > t->cap)
		n = t->cap;
	for (; n; n--, t->swept++) {
		struct timed_entry *e = slot_at(t, t->swept & (t->cap - 1));
		if (e->expires_s >= TIMED_FIRST && e->expires_s < now_s)
			remove_slot(t, e);
	}
}

bool timed_next(const struct timed *t, size_t *at, const uint8_t **key, struct timed_entry *out)
{
	for (; *at < t->cap; ++*at) {
		struct timed_entry *e = slot_at(t, *at);
		if (e->expires_s < TIMED_FIRST)
			continue;
		*key = slot_key(e);
		*out = *e;
		++*at;
		return true;
	}
	return false;
}
