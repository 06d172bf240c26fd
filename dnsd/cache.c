/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/cache.h"

#include "common/siphash.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEY_MAX (NAME_WIRE_MAX + 5)
/* An entry of a usual answer; the table gets a bucket for each that may fit. */
#define ENTRY_TYPICAL	256
#define MALLOC_OVERHEAD 16
#define STALE_MAX_S	86400u

static size_t key_bytes(const struct cache_key *key, uint8_t out[static KEY_MAX])
{
	const struct question *q = key->question;

	message_put16(out, q->type);
	message_put16(out + 2, q->klass);
	out[4] = (uint8_t)(key->dnssec_ok | key->checking_disabled << 1);
	memcpy(out + 5, q->name.wire, q->name.len);
	return 5u + q->name.len;
}

static size_t entry_bytes(const struct cache_entry *e)
{
	return sizeof(*e) + e->key_len + e->len + MALLOC_OVERHEAD;
}

int cache_init(struct cache *c, size_t max_bytes)
{
	memset(c, 0, sizeof(*c));
	list_init(&c->lru);
	c->max_bytes = max_bytes;
	c->bucket_count = 1024;
	while (c->bucket_count < max_bytes / ENTRY_TYPICAL)
		c->bucket_count *= 2;
	if (getrandom(c->hash_key, sizeof(c->hash_key), 0) != sizeof(c->hash_key))
		return -EIO;
	c->buckets = calloc(c->bucket_count, sizeof(*c->buckets));
	return c->buckets ? 0 : -ENOMEM;
}

static struct cache_entry **bucket_of(const struct cache *c, uint64_t hash)
{
	return &c->buckets[hash & (c->bucket_count - 1)];
}

static void drop(struct cache *c, struct cache_entry *e)
{
	struct cache_entry **link = bucket_of(c, e->hash);

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	list_remove(&e->lru);
	c->bytes -= entry_bytes(e);
	c->count--;
	free(e);
}

void cache_fini(struct cache *c)
{
	list_foreach_safe (&c->lru, it)
		free(container_of(it, struct cache_entry, lru));
	free(c->buckets);
	memset(c, 0, sizeof(*c));
	list_init(&c->lru);
}

static struct cache_entry *lookup(
	const struct cache *c, uint64_t hash, const uint8_t *key, size_t key_len)
{
	for (struct cache_entry *e = *bucket_of(c, hash); e; e = e->next) {
		if (e->hash == hash && e->key_len == key_len && !memcmp(e->data, key, key_len))
			return e;
	}
	return NULL;
}

struct cache_entry *cache_find(struct cache *c, const struct cache_key *key)
{
	uint8_t bytes[KEY_MAX];
	size_t len = key_bytes(key, bytes);
	struct cache_entry *e = lookup(c, siphash13(c->hash_key, bytes, len), bytes, len);

	if (e) {
		list_remove(&e->lru);
		list_add_front(&c->lru, &e->lru);
	}
	return e;
}

/* The least recently used go. False when it would not fit even alone. */
static bool make_room(struct cache *c, size_t bytes)
{
	while (c->bytes + bytes > c->max_bytes && !list_is_empty(&c->lru)) {
		struct list *last = c->lru.prev;
		list_remove(last);
		assert(c->lru.prev != last);
		drop(c, container_of(last, struct cache_entry, lru));
	}
	return bytes <= c->max_bytes;
}

void cache_put(struct cache *c, const struct cache_key *key, const struct answer_info *info,
	const uint8_t *stored, uint64_t now_ms)
{
	uint8_t bytes[KEY_MAX];
	size_t key_len = key_bytes(key, bytes);
	uint64_t hash = siphash13(c->hash_key, bytes, key_len);
	struct cache_entry *e = lookup(c, hash, bytes, key_len);

	if (e)
		drop(c, e);
	if (!info->ttl_s || info->len > UINT16_MAX)
		return;
	if (!make_room(c, sizeof(*e) + key_len + info->len + MALLOC_OVERHEAD))
		return;
	e = malloc(sizeof(*e) + key_len + info->len);
	if (!e)
		return;
	*e = (struct cache_entry){
		.hash = hash,
		.stored_ms = now_ms,
		.ttl_s = info->ttl_s,
		.authentic = info->authentic,
		.has_targets = info->has_targets,
		.negative = info->negative,
		.rcode = info->rcode,
		.key_len = (uint16_t)key_len,
		.len = (uint16_t)info->len,
	};
	memcpy(e->data, bytes, key_len);
	memcpy(e->data + key_len, stored, info->len);
	e->next = *bucket_of(c, hash);
	*bucket_of(c, hash) = e;
	list_add_front(&c->lru, &e->lru);
	c->bytes += entry_bytes(e);
	c->count++;
}

uint32_t cache_entry_age(const struct cache_entry *e, uint64_t now_ms)
{
	uint64_t age_s = now_ms > e->stored_ms ? (now_ms - e->stored_ms) / 1000 : 0;

	return age_s < UINT32_MAX ? (uint32_t)age_s : UINT32_MAX;
}

bool cache_entry_is_usable(const struct cache_entry *e, uint64_t now_ms)
{
	bool is_answer = e->rcode == RCODE_NOERROR || e->rcode == RCODE_NXDOMAIN;

	return is_answer && cache_entry_age(e, now_ms) <= (uint64_t)e->ttl_s + STALE_MAX_S;
}

uint64_t cache_hash(const struct cache *c, const struct cache_key *key)
{
	uint8_t bytes[KEY_MAX];
	size_t len = key_bytes(key, bytes);

	return siphash13(c->hash_key, bytes, len);
}

bool cache_key_equal(const struct cache_key *a, const struct cache_key *b)
{
	const struct question *p = a->question, *q = b->question;

	return p->type == q->type && p->klass == q->klass && a->dnssec_ok == b->dnssec_ok &&
	       a->checking_disabled == b->checking_disabled && p->name.len == q->name.len &&
	       !memcmp(p->name.wire, q->name.wire, p->name.len);
}
