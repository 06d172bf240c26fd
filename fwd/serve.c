/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/serve.h"

#include "common/log.h"
#include "fwd/fwd.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS = 1000,
	/* Newly listed addresses end live flows so much later at most: each time every live flow
	 * is judged once more, and names come by the dozen. */
	TIGHTEN_MS = 500,
	/* A flow that is judged keeps its strict element: more often than that ends. */
	STRICT_JUDGE_S = FEED_STRICT_S / 4,
};

struct waiting {
	struct list node;
	struct bus_call *call;
	int applied, refused;
	bool is_early; /* of something it is not known yet whether it is to be refused */
};

/* ---- entries ---- */

static int feed_listed(struct serve *s, const struct rec_feed_entry *e, const struct addr *a)
{
	struct fwd *f = s->f;
	uint64_t bit = rec_has(e, feed_entry, list) ? lists_find_bit(&f->lists, e->list) : 0;
	bool is_new = false;
	if (!bit)
		return f->lists.known ? -ENOENT : -EAGAIN;
	if (rec_has(e, feed_entry, remove) && e->remove) {
		feed_unlist(&f->firewall.feed, a, bit);
		return 0;
	}
	int64_t ttl_s = rec_has(e, feed_entry, ttl) ? e->ttl : f->conf->address_ttl_s;
	int err = feed_list(&f->firewall.feed, a, bit, ttl_s, &is_new);
	if (err || !is_new)
		return err;
	if (!timer_is_active(&s->tighten))
		timer_start(&s->tighten, TIGHTEN_MS, 0);
	return conntrack_add_destination(&s->listed, a);
}

static int feed_strict(struct serve *s, const struct rec_feed_entry *e, const struct addr *a)
{
	struct fwd *f = s->f;
	const struct device_view *v =
		rec_has(e, feed_entry, device) ? directory_find_id(f->directory, e->device) : NULL;
	int err = v || directory_is_known(f->directory) ? -ENOENT : -EAGAIN;
	for (size_t i = 0; v && i < v->address_count; i++) {
		const struct addr *device = &v->addresses[i];
		if (device->family != a->family || directory_find(f->directory, device) != v)
			continue;
		err = 0;
		if (rec_has(e, feed_entry, remove) && e->remove)
			feed_deny(&f->firewall.feed, device, a);
		else
			err = feed_allow(&f->firewall.feed, device, a,
				rec_has(e, feed_entry, ttl) ? e->ttl : 0);
		if (err)
			return err;
	}
	return err;
}

static int feed_renewal(struct serve *s, const struct rec_feed_entry *e, const struct addr *a)
{
	struct feed *feed = &s->f->firewall.feed;
	if (rec_has(e, feed_entry, remove) && e->remove) {
		feed_unrenew(feed, a);
		return 0;
	}
	return feed_renew(feed, a, rec_has(e, feed_entry, ttl) ? e->ttl : 0);
}

static int feed_entry(struct serve *s, const struct rec_feed_entry *e)
{
	struct addr a;
	if (e->head.closed || addr_parse(e->address, &a) || !addr_is_destination(&a))
		return -EINVAL;
	switch ((enum feed_kind)e->kind) {
	case FEED_KIND_LISTED:
		return feed_listed(s, e, &a);
	case FEED_KIND_STRICT:
		return feed_strict(s, e, &a);
	case FEED_KIND_RENEWAL:
		return feed_renewal(s, e, &a);
	}
	return -EINVAL;
}

static void report_full(struct serve *s, int err)
{
	if (err != -ENOSPC || s->full)
		return;
	s->full = true;
	log_error("too many fed addresses, new ones are refused max=%d", FEED_MAX);
	fwd_alarm(s->f, "feed_full", "new addresses are refused");
}

static void on_feed(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	(void)caller;
	struct serve *s = arg;
	const struct rec_feed *feed = args;
	struct waiting *w = calloc(1, sizeof(*w));
	if (!w) {
		bus_call_fail(call, "no_memory", "");
		return;
	}
	w->call = call;
	feed_set_clock(&s->f->firewall.feed, clock_mono_ms());
	for (size_t i = 0; i < feed->entries.n; i++) {
		int err = feed_entry(s, &feed->entries.v[i]);
		report_full(s, err);
		w->applied += err == 0;
		w->refused += err != 0;
		w->is_early |= err == -EAGAIN;
	}
	s->applied += (uint64_t)w->applied;
	s->refused += (uint64_t)w->refused;
	list_add(&s->calls, &w->node);
	if (!timer_is_active(&s->flush))
		timer_start(&s->flush, 0, 0);
}

/* ---- answers ---- */

static void answer(struct waiting *w, bool committed)
{
	cJSON *result = committed && !w->is_early ? cJSON_CreateObject() : NULL;
	if (result) {
		cJSON_AddNumberToObject(result, "applied", w->applied);
		cJSON_AddNumberToObject(result, "refused", w->refused);
		bus_call_reply(w->call, result);
	} else {
		bus_call_fail(w->call, w->is_early ? "not_ready" : "not_applied", "");
	}
	list_remove(&w->node);
	free(w);
}

static void answer_all(struct serve *s, bool committed)
{
	list_foreach_safe (&s->calls, it)
		answer(container_of(it, struct waiting, node), committed);
}

static void settle(struct serve *s)
{
	int err = fwd_settle(s->f);
	if (err)
		fwd_schedule(s->f);
	/* While a former run's rules are kept, nothing of this one's is in the kernel. */
	answer_all(s, err == 0 && !s->f->keep_until_ms);
}

static void on_flush(struct timer *t)
{
	settle(t->data);
}

static void on_tighten(struct timer *t)
{
	struct serve *s = t->data;
	s->f->firewall.tighten_due = true;
	if (conntrack_targets_move(&s->f->firewall.lost, &s->listed))
		log_error("no memory for connections to cut");
	settle(s);
}

static bool is_anyone_strict(const struct feed *f)
{
	return f->tables[FEED_STRICT4].count || f->tables[FEED_STRICT6].count;
}

static void on_tick(struct timer *t)
{
	struct serve *s = t->data;
	struct feed *feed = &s->f->firewall.feed;
	feed_set_clock(feed, clock_mono_ms());
	feed_sweep(feed);
	s->full = s->full && (feed->tables[FEED_LISTED4].count >= FEED_MAX ||
				     feed->tables[FEED_LISTED6].count >= FEED_MAX ||
				     feed->tables[FEED_STRICT4].count >= FEED_MAX ||
				     feed->tables[FEED_STRICT6].count >= FEED_MAX);
	if (is_anyone_strict(feed) && ++s->strict_age_s >= STRICT_JUDGE_S) {
		s->strict_age_s = 0;
		s->f->firewall.tighten_due = true;
		fwd_schedule(s->f);
	}
}

int serve_open(struct serve *s, struct fwd *f)
{
	uv_loop_t *loop = &f->daemon->loop;
	*s = (struct serve){ .f = f };
	list_init(&s->calls);
	conntrack_targets_init(&s->listed);
	int err = timer_init(loop, &s->flush, on_flush, s);
	if (!err)
		err = timer_init(loop, &s->tick, on_tick, s);
	if (!err)
		err = timer_init(loop, &s->tighten, on_tighten, s);
	if (err)
		return err;
	timer_start(&s->tick, TICK_MS, TICK_MS);
	return bus_serve(f->daemon->bus, REQUEST_fwd_feed, on_feed, s);
}

void serve_close(struct serve *s)
{
	struct timer *timers[] = { &s->flush, &s->tick, &s->tighten };
	if (!s->f)
		return;
	for (size_t i = 0; i < sizeof(timers) / sizeof(*timers); i++)
		if (timers[i]->on_fire)
			timer_close(timers[i], NULL);
	answer_all(s, false);
	conntrack_targets_fini(&s->listed);
	s->f = NULL;
}
