/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/answer.h"

/*
 * The shared cache of stored answers (answer.h), keyed by name, type, class, DO and CD. It knows
 * nothing of devices: policy acts on what comes out.
 *
 * Entries stand one behind the other in a ring of memory, oldest first, so that nothing is
 * allocated and the bound holds to the byte. Room is made at the old end: what was used since it
 * was written moves to the new end once more, the rest goes. An index of buckets of a cache line
 * each leads from a keyed hash to an entry, so that a hit costs two loads from memory.
 */
struct cache_key {
	const struct question *question; /* name in lower case */
	bool dnssec_ok, checking_disabled;
};

struct cache_entry {
	uint64_t hash;
	uint64_t stored_ms; /* monotonic */
	uint32_t size;	    /* in the ring */
	uint32_t ttl_s;
	uint16_t type, klass, rcode;
	uint16_t len; /* of the stored answer */
	uint8_t name_len;
	bool dnssec_ok : 1, checking_disabled : 1;
	bool authentic : 1, has_targets : 1, negative : 1;
	bool refreshing : 1; /* a prefetch is under way */
	bool is_used : 1;    /* since it was written */
	bool is_dead : 1;    /* another has taken its place in the index */
	uint8_t data[];	     /* the name, then the stored answer */
};

struct cache {
	uint8_t *ring;
	size_t ring_size;
	size_t head, tail; /* where the next one is written; the oldest */
	size_t end;	   /* of what is written above tail, when head has begun anew below it */
	bool wrapped;
	uint64_t *slots; /* 8 of a bucket: high half of the hash, place in the ring; 0 = empty */
	size_t bucket_count; /* power of two */
	size_t bytes, count; /* memory in use: ring and index; entries */
	uint8_t hash_key[16];
};

/* max_bytes: at least 4 KiB, all in all. Memory is taken from the kernel as it is used. */
int cache_init(struct cache *c, size_t max_bytes);
void cache_fini(struct cache *c);
/* The entry, even when expired (cache_entry_age tells), NULL when there is none. Valid until the
 * next call of cache_put. No allocation. */
struct cache_entry *cache_find(struct cache *c, const struct cache_key *key);
/* The same with the key's hash at hand. */
struct cache_entry *cache_find_hash(struct cache *c, const struct cache_key *key, uint64_t hash);
/* Asks for the memory that a find will need: first the index, then, when that has come, the entry.
 */
void cache_prefetch_slot(const struct cache *c, uint64_t hash);
void cache_prefetch_entry(const struct cache *c, uint64_t hash);
/* Keeps a copy; an older entry of the key goes. Failure is only a miss later. */
void cache_put(struct cache *c, const struct cache_key *key, const struct answer_info *info,
	const uint8_t *stored, uint64_t now_ms);
static inline const uint8_t *cache_entry_answer(const struct cache_entry *e)
{
	return e->data + e->name_len;
}
/* Seconds since it was stored. */
uint32_t cache_entry_age(const struct cache_entry *e, uint64_t now_ms);
/* May it be given though it has expired, because nothing newer is to be had (RFC 8767)? */
bool cache_entry_is_usable(const struct cache_entry *e, uint64_t now_ms);
/* Hash of a key under the cache's secret; also for other tables of questions. */
uint64_t cache_hash(const struct cache *c, const struct cache_key *key);
bool cache_key_equal(const struct cache_key *a, const struct cache_key *b);
