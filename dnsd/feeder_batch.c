/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/feeder_impl.h"

#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 1024 /* entries of one request */

struct batch {
	struct feeder *feeder;
	struct list entries;
	size_t count;
};

static cJSON *encode(const struct batch *b)
{
	struct rec_feed rec = { .entries = {
					calloc(b->count + 1, sizeof(struct rec_feed_entry)), 0 } };
	char(*texts)[ADDR_STRLEN] = calloc(b->count + 1, ADDR_STRLEN);
	cJSON *json = NULL;

	list_foreach (&b->entries, it) {
		struct fed *e = container_of(it, struct fed, node);
		if (!rec.entries.v || !texts)
			break;
		struct rec_feed_entry *r = &rec.entries.v[rec.entries.n];
		addr_format(&e->address, texts[rec.entries.n++]);
		r->kind = (int)e->kind;
		rec_mark(r, feed_entry, kind);
		r->address = texts[rec.entries.n - 1];
		if (e->kind == FEED_KIND_STRICT)
			r->device = e->who;
		if (e->kind == FEED_KIND_LISTED)
			r->list = e->who;
		if (e->ttl_s) {
			r->ttl = e->ttl_s;
			rec_mark(r, feed_entry, ttl);
		}
		e->was_removing = e->removes;
		e->sent_era = e->era;
		if (e->removes) {
			r->remove = true;
			rec_mark(r, feed_entry, remove);
		}
	}
	rec_mark(&rec, feed, entries);
	if (rec.entries.v && texts)
		json = codec_encode(REC_feed, &rec);
	free(texts);
	free(rec.entries.v);
	return json;
}

static void confirm(struct batch *b)
{
	struct feeder *f = b->feeder;
	uint64_t now_ms = clock_mono_ms();

	while (!list_is_empty(&b->entries)) {
		struct fed *e = container_of(b->entries.next, struct fed, node);
		list_remove(&e->node);
		f->counters.confirmed++;
		if (e->removes != e->was_removing || e->era != e->sent_era)
			fed_enqueue(f, e); /* it was decided anew meanwhile */
		else if (e->removes)
			fed_forget(f, e);
		else
			e->expires_ms = now_ms + e->life_ms;
	}
}

/* What the kernel has from before stays remembered, and is sent again when it is asked for next: a
 * fwd that has started anew may not have it. What is to go is tried again at the next tick, unless
 * fwd has refused it: it may have come nevertheless. */
static void fail(struct batch *b, bool is_refused)
{
	struct feeder *f = b->feeder;
	uint64_t now_ms = clock_mono_ms();

	while (!list_is_empty(&b->entries)) {
		struct fed *e = container_of(b->entries.next, struct fed, node);
		list_remove(&e->node);
		f->counters.failed++;
		if (e->removes && !(is_refused && e->was_removing))
			list_add(&f->queue, &e->node);
		else if (e->removes || e->expires_ms <= now_ms)
			fed_forget(f, e);
		else if (!is_refused && e->expires_ms > now_ms + e->life_ms / 2)
			e->expires_ms = now_ms + e->life_ms / 2;
	}
}

static void batch_send(struct feeder *f, struct batch *b);

static struct batch *batch_new(struct feeder *f)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b) {
		b->feeder = f;
		list_init(&b->entries);
	}
	return b;
}

static void batch_take(struct batch *b, struct list *from, size_t max)
{
	while (b->count < max && !list_is_empty(from)) {
		struct list *node = from->next;
		list_remove(node);
		list_add(&b->entries, node);
		b->count++;
	}
}

/* fwd does not say which entries it refused: halves find out. */
static void split(struct batch *b)
{
	struct feeder *f = b->feeder;
	struct batch *half = b->count > 1 ? batch_new(f) : NULL;

	if (!half) {
		f->counters.refused += b->count;
		fail(b, true);
		return;
	}
	batch_take(half, &b->entries, b->count / 2);
	batch_send(f, half);
	half = batch_new(f);
	if (half) {
		batch_take(half, &b->entries, b->count);
		batch_send(f, half);
	} else {
		fail(b, false);
	}
}

static void on_reply(void *arg, int status, const cJSON *result)
{
	struct batch *b = arg;
	struct feeder *f = b->feeder;
	int64_t refused = 0;

	if (f->closing) {
		while (!list_is_empty(&b->entries))
			list_remove(b->entries.next);
		free(b);
		return;
	}
	if (!status && !json_get_int(cJSON_GetObjectItemCaseSensitive(result, "refused"), &refused))
		status = -EPROTO;
	if (status) {
		log_debug("feed failed entries=%zu error=%s", b->count, strerror(-status));
		fail(b, false);
	} else if (refused) {
		split(b);
	} else {
		confirm(b);
	}
	free(b);
	feeder_settle_waits(f);
}

static void batch_send(struct feeder *f, struct batch *b)
{
	cJSON *args = encode(b);
	int rc = args ? bus_request(f->bus, REQUEST_fwd_feed, args, on_reply, b) : -ENOMEM;

	f->counters.sent += b->count;
	if (rc)
		on_reply(b, rc, NULL);
}

void feeder_on_flush(struct timer *t)
{
	struct feeder *f = t->data;

	while (!list_is_empty(&f->queue)) {
		struct batch *b = batch_new(f);
		if (!b)
			return;
		batch_take(b, &f->queue, BATCH_MAX);
		batch_send(f, b);
	}
}
