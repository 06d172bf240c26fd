/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/names.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* However long an answer holds, and how long one holds that there is no such name. */
#define TTL_MAX_MS 300000
#define NONE_MS	   2000

struct names {
	struct resolver *resolver;
	struct hmap map;   /* name → struct name */
	struct list order; /* struct name, the longest unused first */
	size_t max;
	struct list ready; /* struct names_query, to be answered from the loop */
	struct timer deliver;
};

struct name {
	struct list node;
	struct names *names;
	struct resolver_query *query; /* while it is asked */
	struct list waiting;	      /* struct names_query */
	uint64_t until;		      /* monotonic ms; 0 = nothing is known */
	int status;
	size_t count;
	struct addr addrs[RESOLVER_MAX_ADDRS];
	bool is_known; /* it was answered, perhaps long ago */
	char *aliases; /* of the last answer; NULL: none */
	char text[];
};

struct names_query {
	struct list node; /* in name.waiting, then in names.ready */
	resolver_on_done on_done;
	void *arg;
	int status;
	size_t count;
	struct addr addrs[RESOLVER_MAX_ADDRS];
};

static void forget(struct name *e)
{
	list_remove(&e->node);
	hmap_take_str(&e->names->map, e->text);
	free(e->aliases);
	free(e);
}

/* ---- answers ---- */

static void make_ready(struct names *n, struct names_query *q, const struct name *e)
{
	q->status = e->status;
	q->count = e->count;
	memcpy(q->addrs, e->addrs, e->count * sizeof(e->addrs[0]));
	list_remove(&q->node);
	list_add(&n->ready, &q->node);
	if (!timer_is_active(&n->deliver))
		timer_start(&n->deliver, 0, 0);
}

static void on_deliver(struct timer *t)
{
	struct names *n = t->data;

	while (!list_is_empty(&n->ready)) {
		struct names_query *q = container_of(n->ready.next, struct names_query, node);
		list_remove(&q->node);
		q->on_done(q->arg, q->status, q->addrs, q->count);
		free(q);
	}
}

/* How long what is known may be used, ms. */
static uint64_t lifetime_ms(const struct name *e)
{
	uint64_t ms;

	if (e->status == -ENOENT)
		return NONE_MS;
	if (e->status)
		return 0;
	ms = (uint64_t)resolver_ttl_s(e->query) * 1000;
	return ms < TTL_MAX_MS ? ms : TTL_MAX_MS;
}

/* What is not known of it lets nothing pass; what was known stays where nobody answers. */
static int take_aliases(struct name *e, int status)
{
	const char *aliases;
	char *copy;

	if (status)
		return status;
	aliases = resolver_aliases(e->query);
	copy = *aliases ? strdup(aliases) : NULL;
	if (*aliases && !copy)
		return -ENOMEM;
	free(e->aliases);
	e->aliases = copy;
	e->is_known = true;
	return 0;
}

/* It is the last that goes. */
static void touch(struct name *e)
{
	list_remove(&e->node);
	list_add(&e->names->order, &e->node);
}

static void on_resolved(void *arg, int status, const struct addr *addrs, size_t count)
{
	struct name *e = arg;
	struct names *n = e->names;

	e->status = take_aliases(e, status);
	e->count = e->status ? 0 : count;
	memcpy(e->addrs, addrs, e->count * sizeof(*addrs));
	e->until = clock_mono_ms() + lifetime_ms(e);
	e->query = NULL;
	touch(e);
	while (!list_is_empty(&e->waiting))
		make_ready(n, container_of(e->waiting.next, struct names_query, node), e);
}

/* ---- names ---- */

/* Room for one more; those that are being asked stay. */
static void make_room(struct names *n)
{
	list_foreach_safe (&n->order, it) {
		struct name *e = container_of(it, struct name, node);
		if (n->map.count < n->max)
			return;
		if (!e->query)
			forget(e);
	}
}

static struct name *add_name(struct names *n, const char *text)
{
	size_t len = strlen(text) + 1;
	struct name *e = calloc(1, sizeof(*e) + len);

	if (!e)
		return NULL;
	make_room(n);
	memcpy(e->text, text, len);
	if (hmap_set_str(&n->map, e->text, e)) {
		free(e);
		return NULL;
	}
	e->names = n;
	list_init(&e->waiting);
	list_add(&n->order, &e->node);
	return e;
}

/* The entry, used just now. */
static struct name *find_name(struct names *n, const char *text)
{
	struct name *e = hmap_find_str(&n->map, text);

	if (!e)
		return add_name(n, text);
	touch(e);
	return e;
}

struct names_query *names_start(
	struct names *n, const char *name, resolver_on_done on_done, void *arg)
{
	struct names_query *q = calloc(1, sizeof(*q));
	struct name *e = q ? find_name(n, name) : NULL;

	if (!e) {
		free(q);
		return NULL;
	}
	list_init(&q->node);
	q->on_done = on_done;
	q->arg = arg;
	if (!e->query && clock_mono_ms() < e->until) {
		make_ready(n, q, e);
		return q;
	}
	if (!e->query)
		e->query = resolver_start(n->resolver, e->text, on_resolved, e);
	if (!e->query) {
		free(q);
		return NULL;
	}
	list_add(&e->waiting, &q->node);
	return q;
}

bool names_get(
	struct names *n, const char *name, int *status, const struct addr **addrs, size_t *count)
{
	struct name *e = hmap_find_str(&n->map, name);

	if (!e || e->query || clock_mono_ms() >= e->until)
		return false;
	touch(e);
	*status = e->status;
	*addrs = e->addrs;
	*count = e->count;
	return true;
}

const char *names_aliases(const struct names *n, const char *name)
{
	const struct name *e = hmap_find_str(&n->map, name);

	return e && e->aliases ? e->aliases : "";
}

bool names_knows(const struct names *n, const char *name)
{
	const struct name *e = hmap_find_str(&n->map, name);

	return e && e->is_known;
}

void names_cancel(struct names_query *q)
{
	list_remove(&q->node);
	free(q);
}

struct names *names_open(uv_loop_t *loop, struct resolver *resolver, size_t max)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->resolver = resolver;
	n->max = max;
	hmap_init(&n->map, NULL);
	list_init(&n->order);
	list_init(&n->ready);
	timer_init(loop, &n->deliver, on_deliver, n);
	return n;
}

static void on_closed(struct timer *t)
{
	free(t->data);
}

void names_close(struct names *n)
{
	list_foreach_safe (&n->order, it) {
		struct name *e = container_of(it, struct name, node);
		if (e->query) {
			resolver_cancel(e->query);
			e->query = NULL;
		}
		e->status = -ECANCELED;
		e->count = 0;
		while (!list_is_empty(&e->waiting))
			make_ready(n, container_of(e->waiting.next, struct names_query, node), e);
		forget(e);
	}
	on_deliver(&n->deliver);
	hmap_fini(&n->map);
	timer_close(&n->deliver, on_closed);
}
