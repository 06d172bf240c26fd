/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "dnsd/answer.h"

/*
 * The shared cache of stored answers (answer.h), keyed by name, type, class, DO and CD. Bounded in
 * bytes, least recently used goes first. It knows nothing of devices: policy acts on what comes
 * out.
 */
struct cache_key {
	const struct question *question; /* name in lower case */
	bool dnssec_ok, checking_disabled;
};

struct cache_entry {
	struct list lru;
	struct cache_entry *next; /* of the same bucket */
	uint64_t hash;
	uint64_t stored_ms; /* monotonic */
	uint32_t ttl_s;
	bool authentic, has_targets, negative;
	bool refreshing; /* a prefetch is under way */
	uint16_t rcode;
	uint16_t key_len, len;
	uint8_t data[]; /* key, then the stored answer */
};

struct cache {
	struct cache_entry **buckets;
	size_t bucket_count; /* power of two */
	struct list lru;     /* first: used last */
	size_t bytes, max_bytes, count;
	uint8_t hash_key[16];
};

int cache_init(struct cache *c, size_t max_bytes);
void cache_fini(struct cache *c);
/* The entry, even when expired (cache_entry_age tells), NULL when there is none. Valid until the
 * next call of cache_put. No allocation. */
struct cache_entry *cache_find(struct cache *c, const struct cache_key *key);
/* Keeps a copy; an older entry of the key goes. Failure is only a miss later. */
void cache_put(struct cache *c, const struct cache_key *key, const struct answer_info *info,
	const uint8_t *stored, uint64_t now_ms);
static inline const uint8_t *cache_entry_answer(const struct cache_entry *e)
{
	return e->data + e->key_len;
}
/* Seconds since it was stored. */
uint32_t cache_entry_age(const struct cache_entry *e, uint64_t now_ms);
/* May it be given though it has expired, because nothing newer is to be had (RFC 8767)? */
bool cache_entry_is_usable(const struct cache_entry *e, uint64_t now_ms);
/* Hash of a key under the cache's secret; also for other tables of questions. */
uint64_t cache_hash(const struct cache *c, const struct cache_key *key);
bool cache_key_equal(const struct cache_key *a, const struct cache_key *b);
