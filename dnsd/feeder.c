/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/feeder_impl.h"

#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS = 10,
	SWEEP = 64,	       /* entries looked at per tick */
	LIFE_MIN_S = 3600,     /* fwd keeps what is strict or for renewal at least so long */
	LISTED_S = 86400,      /* fwd's default for addresses of listed names */
	MARGIN_S = 60,	       /* ours ends before the kernel's */
	START_SLACK_MS = 1500, /* a status says seconds */
};

struct start {
	int64_t at_ms;
};

struct key {
	uint8_t bytes[2 + 16 + 64];
	size_t len;
};

static struct key key_of(enum feed_kind kind, const struct addr *a, const char *who)
{
	struct key k = { .len = 18 + strnlen(who, 64) };

	k.bytes[0] = (uint8_t)kind;
	k.bytes[1] = a->family;
	memcpy(k.bytes + 2, a->bytes, 16);
	memcpy(k.bytes + 18, who, k.len - 18);
	return k;
}

static struct fed *find(
	const struct feeder *f, enum feed_kind kind, const struct addr *a, const char *who)
{
	struct key k = key_of(kind, a, who);

	return hmap_find(&f->fed, k.bytes, k.len);
}

static bool is_idle(const struct fed *e)
{
	return list_is_empty(&e->node);
}

/* ---- shares of devices ---- */

struct share {
	unsigned count;
	unsigned era; /* entries of another one are none */
};

static struct share *share_of(const struct feeder *f, enum feed_kind kind, const char *who)
{
	return kind == FEED_KIND_STRICT ? hmap_find_str(&f->shares, who) : NULL;
}

/* False when the device has had all that it may have. */
static bool take_share(struct feeder *f, const struct feeder_entry *in)
{
	struct share *s = share_of(f, in->kind, in->who);

	if (in->kind != FEED_KIND_STRICT)
		return true;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s || hmap_set_str(&f->shares, in->who, s)) {
			free(s);
			return false;
		}
	}
	if (s->count >= FEEDER_PER_DEVICE)
		return false;
	s->count++;
	return true;
}

static void give_share(struct feeder *f, enum feed_kind kind, const char *who)
{
	struct share *s = share_of(f, kind, who);

	if (s && !--s->count)
		hmap_remove_str(&f->shares, who);
}

static unsigned era_of(const struct feeder *f, enum feed_kind kind, const char *who)
{
	const struct share *s = share_of(f, kind, who);

	return s ? s->era : 0;
}

bool fed_is_lapsed(const struct feeder *f, const struct fed *e)
{
	return e->era != era_of(f, e->kind, e->who);
}

void feeder_forget_device(struct feeder *f, const char *id)
{
	struct share *s = share_of(f, FEED_KIND_STRICT, id);

	if (s)
		s->era++;
}

void fed_forget(struct feeder *f, struct fed *e)
{
	struct key k = key_of(e->kind, &e->address, e->who);

	give_share(f, e->kind, e->who);
	list_remove(&e->node);
	hmap_remove(&f->fed, k.bytes, k.len);
}

/* ---- waits ---- */

static bool is_confirmed(const struct feeder *f, const struct feeder_wait *w, uint64_t now_ms)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct fed *e = find(f, w->kind, &w->addresses[i], w->who);
		if (!e || e->removes || e->expires_ms <= now_ms || fed_is_lapsed(f, e))
			return false;
	}
	return true;
}

/* Can it still come? Otherwise the client need not wait. */
static bool is_hopeless(const struct feeder *f, const struct feeder_wait *w)
{
	for (size_t i = 0; i < w->count; i++) {
		if (!find(f, w->kind, &w->addresses[i], w->who))
			return true;
	}
	return false;
}

static void end_wait(struct feeder *f, struct feeder_wait *w, bool confirmed)
{
	list_remove(&w->node);
	f->wait_count--;
	f->counters.late += !confirmed;
	w->on_done(w, confirmed);
}

void feeder_settle_waits(struct feeder *f)
{
	uint64_t now_ms = clock_mono_ms();

	list_foreach_safe (&f->waits, it) {
		struct feeder_wait *w = container_of(it, struct feeder_wait, node);
		if (is_confirmed(f, w, now_ms))
			end_wait(f, w, true);
		else if (w->due_ms <= now_ms || is_hopeless(f, w))
			end_wait(f, w, false);
	}
}

int feeder_wait(struct feeder *f, struct feeder_wait *w)
{
	if (f->closing || f->wait_count >= FEEDER_WAITS_MAX)
		return -EBUSY;
	w->due_ms = clock_mono_ms() + FEEDER_WAIT_MS;
	list_add(&f->waits, &w->node);
	f->wait_count++;
	f->counters.held++;
	timer_start(&f->tick, TICK_MS, TICK_MS);
	return 0;
}

/* ---- entries ---- */

void fed_enqueue(struct feeder *f, struct fed *e)
{
	if (!is_idle(e))
		return;
	list_add(&f->queue, &e->node);
	if (!timer_is_active(&f->flush))
		timer_start(&f->flush, 0, 0);
}

/* Forgets what has expired; for room also what has not: the kernel keeps it. */
static void sweep(struct feeder *f, size_t steps, bool makes_room)
{
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < steps; i++) {
		if (!hmap_next(&f->fed, &f->cursor)) {
			f->cursor = (struct hmap_iter){ 0 };
			return;
		}
		struct fed *e = f->cursor.value;
		bool is_over = e->expires_ms <= now_ms || fed_is_lapsed(f, e);
		if (is_idle(e) && (is_over || (makes_room && !e->removes)))
			fed_forget(f, e);
	}
}

static struct fed *add(struct feeder *f, const struct feeder_entry *in)
{
	struct key k = key_of(in->kind, &in->address, in->who);

	if (f->fed.count >= FEEDER_MAX)
		sweep(f, SWEEP, true);
	struct fed *e = f->fed.count < FEEDER_MAX ? calloc(1, sizeof(*e)) : NULL;
	if (!e || !take_share(f, in)) {
		free(e);
		return NULL;
	}
	list_init(&e->node);
	e->kind = in->kind;
	e->address = in->address;
	memcpy(e->who, in->who, k.len - 18);
	e->era = era_of(f, in->kind, in->who);
	if (hmap_set(&f->fed, k.bytes, k.len, e)) {
		give_share(f, in->kind, in->who);
		free(e);
		return NULL;
	}
	return e;
}

bool feeder_add(struct feeder *f, const struct feeder_entry *in)
{
	struct fed *e = find(f, in->kind, &in->address, in->who);
	uint32_t min_s = in->kind == FEED_KIND_LISTED ? LISTED_S : LIFE_MIN_S;
	uint64_t now_ms = clock_mono_ms();

	if (f->closing)
		return false;
	if (!e)
		e = add(f, in);
	if (!e)
		return false;
	if (fed_is_lapsed(f, e)) {
		e->era = era_of(f, e->kind, e->who);
		e->expires_ms = 0;
	}
	if (is_idle(e) || e->removes) {
		e->ttl_s = in->ttl_s;
		e->removes = false;
		e->life_ms = ((in->ttl_s > min_s ? in->ttl_s : min_s) - MARGIN_S) * 1000ull;
	}
	if (e->expires_ms <= now_ms + e->life_ms / 2)
		fed_enqueue(f, e);
	return e->expires_ms > now_ms && !e->removes;
}

bool feeder_remove(struct feeder *f, const struct feeder_entry *in)
{
	struct fed *e = find(f, in->kind, &in->address, in->who);

	if (!e || e->removes)
		return false;
	e->removes = true;
	e->expires_ms = 0;
	fed_enqueue(f, e);
	return true;
}

/* ---- fwd itself ---- */

static void send_all_again(struct feeder *f)
{
	uint64_t now_ms = clock_mono_ms();
	size_t n = 0;

	hmap_foreach (&f->fed, it) {
		struct fed *e = it.value;
		if ((e->expires_ms <= now_ms || fed_is_lapsed(f, e)) && !e->removes)
			continue;
		fed_enqueue(f, e);
		n++;
	}
	log_info("fwd has started, addresses are fed again count=%zu", n);
}

static void on_status(void *arg, const struct bus_status *s)
{
	struct feeder *f = arg;
	int64_t uptime_s;

	if (s->daemon != BUS_FWD || f->closing ||
		!json_get_int(cJSON_GetObjectItemCaseSensitive(s->json, "uptime_s"), &uptime_s))
		return;
	int64_t at_ms = s->at - uptime_s * 1000;
	struct start *known = hmap_find_str(&f->starts, s->instance);
	if (!known && f->starts.count < 64) {
		known = calloc(1, sizeof(*known));
		if (known && hmap_set_str(&f->starts, s->instance, known)) {
			free(known);
			known = NULL;
		}
	}
	if (!known)
		return;
	if (at_ms > known->at_ms + START_SLACK_MS) {
		known->at_ms = at_ms;
		send_all_again(f);
	}
}

static void on_tick(struct timer *t)
{
	struct feeder *f = t->data;

	feeder_settle_waits(f);
	sweep(f, SWEEP, false);
	if (!list_is_empty(&f->queue) && !timer_is_active(&f->flush))
		timer_start(&f->flush, 0, 0);
	if (list_is_empty(&f->waits))
		timer_start(&f->tick, 1000, 1000);
}

int feeder_open(struct feeder *f, uv_loop_t *loop, struct bus *bus)
{
	*f = (struct feeder){ .bus = bus };
	list_init(&f->queue);
	list_init(&f->waits);
	hmap_init(&f->fed, free);
	hmap_init(&f->starts, free);
	hmap_init(&f->shares, free);
	int rc = timer_init(loop, &f->flush, feeder_on_flush, f);
	if (!rc)
		rc = timer_init(loop, &f->tick, on_tick, f);
	if (!rc)
		rc = bus_watch_status(bus, on_status, f);
	if (!rc)
		timer_start(&f->tick, 1000, 1000);
	return rc;
}

void feeder_close(struct feeder *f)
{
	f->closing = true;
	while (!list_is_empty(&f->waits))
		end_wait(f, container_of(f->waits.next, struct feeder_wait, node), false);
	timer_close(&f->flush, NULL);
	timer_close(&f->tick, NULL);
}

void feeder_fini(struct feeder *f)
{
	hmap_fini(&f->fed);
	hmap_fini(&f->starts);
	hmap_fini(&f->shares);
}
