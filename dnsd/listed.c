/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/listed.h"

#include "common/log.h"
#include "dnsd/addresses.h"
#include "dnsd/alarm.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEP = 512, TARGETS_MAX = 16 };

struct list_facts {
	bool by_address, strict_address;
};

struct due {
	uint64_t at_ms;
};

struct shared {
	uint64_t outside; /* bits of lists that hold none of the names it was seen with */
	uint64_t reported;
	uint64_t expires_ms;
};

/* One name being resolved. */
struct resolving {
	struct list node;
	struct listed *listed;
	struct forward_waiter waiters[2]; /* A, AAAA */
	unsigned left;
	uint64_t lists;
	struct question questions[2];
	uint32_t ttl_s;
};

/* ---- the topic `lists` ---- */

static void on_list(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct listed *l = arg;
	const struct rec_list *r = rec;
	struct list_facts *f;

	(void)topic;
	(void)owner;
	if (!r || !r->by_address) {
		hmap_remove_str(&l->lists, id);
		return;
	}
	f = calloc(1, sizeof(*f));
	if (f)
		*f = (struct list_facts){ true, r->strict_address };
	if (!f || hmap_set_str(&l->lists, id, f)) {
		bus_record_lost(l->bus);
		free(f);
	}
}

static const struct list_facts *facts_of(const struct listed *l, unsigned bit)
{
	const char *id = policy_list_id(l->policy, bit);

	return id ? hmap_find_str(&l->lists, id) : NULL;
}

/* Those of the bits that block by address; strict or not as asked. */
static uint64_t by_address(const struct listed *l, uint64_t bits, bool only_lenient)
{
	uint64_t out = 0;

	for (; bits; bits &= bits - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(bits);
		const struct list_facts *f = facts_of(l, bit);
		if (f && !(only_lenient && f->strict_address))
			out |= 1ULL << bit;
	}
	return out;
}

static struct feeder_entry entry_of(
	const struct listed *l, const struct addr *a, unsigned bit, uint32_t ttl_s)
{
	return (struct feeder_entry){ FEED_KIND_LISTED, *a, policy_list_id(l->policy, bit), ttl_s };
}

static void report_shared(struct listed *l, struct shared *s, const struct addr *a, unsigned bit)
{
	char text[ADDR_STRLEN];

	if (s->reported >> bit & 1)
		return;
	s->reported |= 1ULL << bit;
	addr_format(a, text);
	log_notice("address is shared with unlisted names, not blocked list=%s address=%s",
		policy_list_id(l->policy, bit), text);
	alarm_send(l->bus, "shared_address", "list=%s address=%s", policy_list_id(l->policy, bit),
		text);
}

/* ---- feeding ---- */

struct take {
	struct listed *listed;
	uint64_t lists;
	uint32_t ttl_s; /* least */
};

static bool on_listed_address(void *arg, const struct addr *a, uint32_t ttl_s)
{
	struct take *t = arg;
	struct listed *l = t->listed;
	struct shared *s = hmap_find(&l->shared, a, sizeof(*a));

	if (ttl_s < t->ttl_s)
		t->ttl_s = ttl_s;
	if (!addr_is_destination(a))
		return true;
	for (uint64_t bits = t->lists; bits; bits &= bits - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(bits);
		const struct list_facts *f = facts_of(l, bit);
		if (!f)
			continue;
		if (s && s->outside >> bit & 1 && !f->strict_address) {
			l->counters.skipped_shared++;
			report_shared(l, s, a, bit);
			continue;
		}
		struct feeder_entry e = entry_of(l, a, bit, 0);
		feeder_add(l->feeder, &e);
	}
	return true;
}

static void feed(struct resolving *r, const uint8_t *stored, size_t len)
{
	struct take t = { r->listed, r->lists, r->ttl_s };

	addresses_each(stored, len, on_listed_address, &t);
	r->ttl_s = t.ttl_s;
}

/* ---- resolving ---- */

static void set_due(struct listed *l, const struct name *n, uint32_t ttl_s)
{
	struct due *d = hmap_find(&l->due, n->wire, n->len);

	if (ttl_s < LISTED_TTL_MIN_S)
		ttl_s = LISTED_TTL_MIN_S;
	if (d)
		d->at_ms = clock_mono_ms() + ttl_s * 1000ull;
}

static void end(struct resolving *r)
{
	set_due(r->listed, &r->questions[0].name, r->ttl_s);
	list_remove(&r->node);
	r->listed->under_way_count--;
	free(r);
}

static void on_resolved(struct resolving *r, const struct forward_result *f)
{
	if (!f->status && !r->listed->closing)
		feed(r, f->stored, f->info.len);
	if (!--r->left)
		end(r);
}

static void on_a(struct forward_waiter *w, const struct forward_result *f)
{
	on_resolved(container_of(w, struct resolving, waiters[0]), f);
}

static void on_aaaa(struct forward_waiter *w, const struct forward_result *f)
{
	on_resolved(container_of(w, struct resolving, waiters[1]), f);
}

/* What the cache still has is not asked again. */
static bool feed_cached(struct resolving *r, const struct cache_key *key)
{
	struct listed *l = r->listed;
	struct cache_entry *e = cache_find(l->cache, key);

	if (!e || cache_entry_age(e, clock_mono_ms()) >= e->ttl_s)
		return false;
	feed(r, cache_entry_answer(e), e->len);
	return true;
}

static void resolve(struct listed *l, const struct name *name, uint64_t lists)
{
	static const uint16_t types[2] = { TYPE_A, TYPE_AAAA };
	struct resolving *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	r->listed = l;
	r->lists = lists;
	r->ttl_s = LISTED_SHARED_S;
	r->left = 1;
	list_add(&l->under_way, &r->node);
	l->under_way_count++;
	l->counters.resolved++;
	for (int i = 0; i < 2; i++) {
		r->questions[i] = (struct question){ *name, types[i], CLASS_IN };
		struct cache_key key = { .question = &r->questions[i] };
		r->waiters[i].on_done = i ? on_aaaa : on_a;
		list_init(&r->waiters[i].node);
		if (!feed_cached(r, &key) && !forwarder_ask(l->forwarder, &key, &r->waiters[i]))
			r->left++;
	}
	if (!--r->left)
		end(r);
}

void listed_on_block(struct listed *l, const struct name *name, uint64_t lists)
{
	uint64_t now_ms = clock_mono_ms();

	if (!l->lists.count || !lists || l->closing)
		return;
	lists = by_address(l, lists, false);
	if (!lists)
		return;
	struct due *d = hmap_find(&l->due, name->wire, name->len);
	if (d && d->at_ms > now_ms)
		return;
	if (!l->budget || l->under_way_count >= LISTED_UNDER_WAY_MAX ||
		(!d && l->due.count >= LISTED_NAMES_MAX)) {
		l->counters.too_many++;
		return;
	}
	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d || hmap_set(&l->due, name->wire, name->len, d)) {
			free(d);
			return;
		}
	}
	d->at_ms = now_ms + LISTED_TTL_MIN_S * 1000ull;
	l->budget--;
	resolve(l, name, lists);
}

/* ---- unlisted names ---- */

struct note {
	struct listed *listed;
	uint64_t outside;
};

static bool on_unlisted_address(void *arg, const struct addr *a, uint32_t ttl_s)
{
	struct note *n = arg;
	struct listed *l = n->listed;
	struct shared *s = hmap_find(&l->shared, a, sizeof(*a));

	(void)ttl_s;
	if (!s && l->shared.count < LISTED_SHARED_MAX) {
		s = calloc(1, sizeof(*s));
		if (s && hmap_set(&l->shared, a, sizeof(*a), s)) {
			free(s);
			s = NULL;
		}
	}
	if (!s)
		return true;
	s->expires_ms = clock_mono_ms() + LISTED_SHARED_S * 1000ull;
	uint64_t fresh = n->outside & ~s->outside;
	s->outside |= n->outside;
	for (; fresh; fresh &= fresh - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(fresh);
		struct feeder_entry e = entry_of(l, a, bit, 0);
		if (feeder_remove(l->feeder, &e)) {
			l->counters.removed_shared++;
			report_shared(l, s, a, bit);
		}
	}
	return true;
}

static uint64_t lists_with(const struct listed *l, const struct name *n)
{
	char text[NAME_TEXT_MAX];
	size_t len;

	return name_text(n, text, &len) ? policy_lists_with(l->policy, text, len) : UINT64_MAX;
}

void listed_on_answer(struct listed *l, const struct name *name, const uint8_t *stored, size_t len)
{
	struct note n = { l, 0 };
	struct name target;
	size_t pos = 0;

	if (!l->lists.count || !l->policy || l->closing)
		return;
	n.outside = by_address(l, UINT64_MAX, true);
	if (!n.outside)
		return;
	n.outside &= ~lists_with(l, name);
	/* An alias of a listed name is no stranger to its address. */
	for (unsigned i = 0; n.outside && answer_next_target(stored, len, &pos, &target); i++)
		n.outside &= i < TARGETS_MAX ? ~lists_with(l, &target) : 0;
	if (n.outside)
		addresses_each(stored, len, on_unlisted_address, &n);
}

/* ---- life ---- */

static void sweep(struct listed *l)
{
	uint64_t now_ms = clock_mono_ms();

	for (int i = 0; i < SWEEP; i++) {
		if (!hmap_next(&l->due, &l->due_cursor)) {
			l->due_cursor = (struct hmap_iter){ 0 };
			break;
		}
		const struct due *d = l->due_cursor.value;
		if (d->at_ms <= now_ms)
			hmap_remove(&l->due, l->due_cursor.key, l->due_cursor.len);
	}
	for (int i = 0; i < SWEEP; i++) {
		if (!hmap_next(&l->shared, &l->shared_cursor)) {
			l->shared_cursor = (struct hmap_iter){ 0 };
			break;
		}
		const struct shared *s = l->shared_cursor.value;
		if (s->expires_ms <= now_ms)
			hmap_remove(&l->shared, l->shared_cursor.key, l->shared_cursor.len);
	}
}

static void on_tick(struct timer *t)
{
	struct listed *l = t->data;

	l->budget = LISTED_PER_S;
	sweep(l);
}

int listed_open(struct listed *l, uv_loop_t *loop, struct bus *bus, struct feeder *feeder,
	struct cache *cache)
{
	static const struct bus_topic_ops ops = { .on_record = on_list };

	*l = (struct listed){
		.bus = bus, .feeder = feeder, .cache = cache, .budget = LISTED_PER_S
	};
	list_init(&l->under_way);
	hmap_init(&l->lists, free);
	hmap_init(&l->due, free);
	hmap_init(&l->shared, free);
	int rc = timer_init(loop, &l->tick, on_tick, l);
	if (rc)
		return rc;
	timer_start(&l->tick, 1000, 1000);
	return bus_subscribe(bus, TOPIC_lists, BUS_SYNCD, &ops, l);
}

void listed_close(struct listed *l)
{
	l->closing = true;
	timer_close(&l->tick, NULL);
}

void listed_fini(struct listed *l)
{
	hmap_fini(&l->lists);
	hmap_fini(&l->due);
	hmap_fini(&l->shared);
}
