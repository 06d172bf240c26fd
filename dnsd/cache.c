/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/cache.h"

#include "common/siphash_round.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define BUCKET	    8u	/* slots */
#define GRAIN	    16u /* entries begin at multiples of it */
#define INDEX_SHARE 16u /* one part of so many of the memory is the index */
#define SPARED_MAX  8u	/* used entries that one put moves on, then used ones go, too */
#define STALE_MAX_S 86400u
#define SIZE_MIN    4096u

/* ---- index ---- */

static uint64_t *bucket_of(const struct cache *c, uint64_t hash)
{
	return c->slots + (hash & (c->bucket_count - 1)) * BUCKET;
}

static uint64_t slot_value(uint64_t hash, size_t place)
{
	return (hash & 0xffffffff00000000ULL) | (place / GRAIN + 1);
}

static struct cache_entry *entry_at(const struct cache *c, size_t place)
{
	return (struct cache_entry *)(void *)(c->ring + place);
}

static struct cache_entry *slot_entry(const struct cache *c, uint64_t slot)
{
	return entry_at(c, ((slot & 0xffffffffULL) - 1) * GRAIN);
}

static bool is_entry_of(const struct cache_entry *e, const struct cache_key *key, uint64_t hash)
{
	const struct question *q = key->question;

	return e->hash == hash && e->name_len == q->name.len && e->type == q->type &&
	       e->klass == q->klass && e->dnssec_ok == key->dnssec_ok &&
	       e->checking_disabled == key->checking_disabled &&
	       !memcmp(e->data, q->name.wire, q->name.len);
}

static uint64_t *find_slot(const struct cache *c, const struct cache_key *key, uint64_t hash)
{
	uint64_t *b = bucket_of(c, hash);

	for (unsigned i = 0; i < BUCKET; i++) {
		if (b[i] && !((b[i] ^ hash) >> 32) && is_entry_of(slot_entry(c, b[i]), key, hash))
			return &b[i];
	}
	return NULL;
}

/* The slot of an entry that is alive. */
static uint64_t *slot_of(const struct cache *c, const struct cache_entry *e)
{
	uint64_t *b = bucket_of(c, e->hash);
	uint64_t value = slot_value(e->hash, (size_t)((const uint8_t *)e - c->ring));
	unsigned i = 0;

	while (i < BUCKET && b[i] != value)
		i++;
	assert(i < BUCKET);
	return &b[i];
}

static void kill_slot(struct cache *c, uint64_t *slot)
{
	slot_entry(c, *slot)->is_dead = true;
	*slot = 0;
	c->count--;
}

/* How far from the ring's old end: what was moved on because it was used is young again. */
static size_t youth(const struct cache *c, const struct cache_entry *e)
{
	size_t place = (size_t)((const uint8_t *)e - c->ring);

	return place >= c->tail ? place - c->tail : place + c->ring_size - c->tail;
}

/* An empty slot of the bucket; a full one loses what was not used, the oldest without another. */
static uint64_t *take_slot(struct cache *c, uint64_t hash)
{
	uint64_t *b = bucket_of(c, hash), *victim = NULL;

	for (unsigned i = 0; i < BUCKET; i++) {
		if (!b[i])
			return &b[i];
		const struct cache_entry *e = slot_entry(c, b[i]);
		const struct cache_entry *v = victim ? slot_entry(c, *victim) : NULL;
		if (!v || v->is_used > e->is_used ||
			(v->is_used == e->is_used && youth(c, e) < youth(c, v)))
			victim = &b[i];
	}
	kill_slot(c, victim);
	return victim;
}

/* ---- ring ---- */

/* Room for size bytes at the head, going below the tail when there is none above; SIZE_MAX = none.
 */
static size_t place_for(struct cache *c, size_t size)
{
	size_t limit = c->wrapped ? c->tail : c->ring_size;

	if (limit - c->head < size) {
		if (c->wrapped || c->tail < size)
			return SIZE_MAX;
		c->end = c->head;
		c->head = 0;
		c->wrapped = true;
	}
	return c->head;
}

static void advance_head(struct cache *c, size_t size)
{
	c->head += size;
	c->bytes += size;
}

/* The oldest goes, or moves to the new end. */
static void pop(struct cache *c, unsigned *spared)
{
	struct cache_entry *e = entry_at(c, c->tail);
	uint64_t *slot = e->is_dead ? NULL : slot_of(c, e);
	size_t size = e->size;

	c->tail += size;
	c->bytes -= size;
	if (c->wrapped && c->tail == c->end) {
		c->tail = 0;
		c->wrapped = false;
	}
	if (slot && e->is_used && *spared) {
		--*spared;
		/* It fits: its own room has become free. */
		size_t place = place_for(c, size);
		e->is_used = false;
		*slot = slot_value(e->hash, place);
		memmove(c->ring + place, e, size);
		advance_head(c, size);
	} else if (slot) {
		*slot = 0;
		c->count--;
	}
}

/* Where an entry of that size may be written; SIZE_MAX when it would not fit even alone. */
static size_t make_room(struct cache *c, size_t size)
{
	unsigned spared = SPARED_MAX;
	size_t place;

	if (size > c->ring_size / 4)
		return SIZE_MAX;
	while ((place = place_for(c, size)) == SIZE_MAX)
		pop(c, &spared);
	return place;
}

/* ---- the cache ---- */

static void *map_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

int cache_init(struct cache *c, size_t max_bytes)
{
	memset(c, 0, sizeof(*c));
	if (max_bytes < SIZE_MIN)
		return -EINVAL;
	c->bucket_count = 1;
	while (c->bucket_count * 2 * BUCKET * sizeof(*c->slots) <= max_bytes / INDEX_SHARE)
		c->bucket_count *= 2;
	c->bytes = c->bucket_count * BUCKET * sizeof(*c->slots);
	c->ring_size = (max_bytes - c->bytes) & ~(size_t)(GRAIN - 1);
	if (getrandom(c->hash_key, sizeof(c->hash_key), 0) != sizeof(c->hash_key))
		return -EIO;
	c->slots = map_memory(c->bytes);
	c->ring = map_memory(c->ring_size);
	if (c->slots && c->ring)
		return 0;
	cache_fini(c);
	return -ENOMEM;
}

void cache_fini(struct cache *c)
{
	if (c->slots)
		munmap(c->slots, c->bucket_count * BUCKET * sizeof(*c->slots));
	if (c->ring)
		munmap(c->ring, c->ring_size);
	memset(c, 0, sizeof(*c));
}

uint64_t cache_hash(const struct cache *c, const struct cache_key *key)
{
	const struct question *q = key->question;
	struct sip s = sip_start(c->hash_key);
	size_t at = 0, len = q->name.len;
	uint8_t rest[8] = { 0 };

	/* The name ends itself, so that nothing else can be meant by the same bytes. */
	sip_absorb(&s, (uint64_t)q->type << 32 | (uint64_t)q->klass << 16 |
			       (uint64_t)key->checking_disabled << 1 | key->dnssec_ok);
	for (; len - at >= 8; at += 8)
		sip_absorb(&s, sip_load64(q->name.wire + at));
	memcpy(rest, q->name.wire + at, len - at);
	return sip_end(s, sip_load64(rest), len + 8);
}

struct cache_entry *cache_find_hash(struct cache *c, const struct cache_key *key, uint64_t hash)
{
	const uint64_t *slot = find_slot(c, key, hash);
	struct cache_entry *e = slot ? slot_entry(c, *slot) : NULL;

	if (e && !e->is_used)
		e->is_used = true;
	return e;
}

struct cache_entry *cache_find(struct cache *c, const struct cache_key *key)
{
	return cache_find_hash(c, key, cache_hash(c, key));
}

void cache_prefetch_slot(const struct cache *c, uint64_t hash)
{
	__builtin_prefetch(bucket_of(c, hash));
}

void cache_prefetch_entry(const struct cache *c, uint64_t hash)
{
	const uint64_t *b = bucket_of(c, hash);

	for (unsigned i = 0; i < BUCKET; i++) {
		if (b[i] && !((b[i] ^ hash) >> 32)) {
			const uint8_t *e = (const uint8_t *)slot_entry(c, b[i]);
			__builtin_prefetch(e, 1);
			__builtin_prefetch(e + 64);
			return;
		}
	}
}

static void write_entry(struct cache_entry *e, const struct cache_key *key,
	const struct answer_info *info, const uint8_t *stored)
{
	const struct question *q = key->question;

	e->ttl_s = info->ttl_s;
	e->type = q->type;
	e->klass = q->klass;
	e->rcode = info->rcode;
	e->len = (uint16_t)info->len;
	e->name_len = q->name.len;
	e->dnssec_ok = key->dnssec_ok;
	e->checking_disabled = key->checking_disabled;
	e->authentic = info->authentic;
	e->has_targets = info->has_targets;
	e->negative = info->negative;
	e->refreshing = e->is_used = e->is_dead = false;
	memcpy(e->data, q->name.wire, q->name.len);
	memcpy(e->data + q->name.len, stored, info->len);
}

void cache_put(struct cache *c, const struct cache_key *key, const struct answer_info *info,
	const uint8_t *stored, uint64_t now_ms)
{
	uint64_t hash = cache_hash(c, key);
	uint64_t *slot = find_slot(c, key, hash);

	if (slot)
		kill_slot(c, slot);
	if (!info->ttl_s || info->len > UINT16_MAX)
		return;
	size_t size = offsetof(struct cache_entry, data) + key->question->name.len + info->len;
	size = (size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
	size_t place = make_room(c, size);
	if (place == SIZE_MAX)
		return;
	struct cache_entry *e = entry_at(c, place);
	write_entry(e, key, info, stored);
	e->hash = hash;
	e->stored_ms = now_ms;
	e->size = (uint32_t)size;
	*take_slot(c, hash) = slot_value(hash, place);
	advance_head(c, size);
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

bool cache_key_equal(const struct cache_key *a, const struct cache_key *b)
{
	const struct question *p = a->question, *q = b->question;

	return p->type == q->type && p->klass == q->klass && a->dnssec_ok == b->dnssec_ok &&
	       a->checking_disabled == b->checking_disabled && p->name.len == q->name.len &&
	       !memcmp(p->name.wire, q->name.wire, p->name.len);
}
