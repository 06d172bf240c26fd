/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/query.h"

#include "dnsd/share.h"
#include <errno.h>
#include <stdlib.h>

#define QUERIES_MAX 4096

static void query_free(struct query *q)
{
	if (q->client)
		q->client->under_way--;
	else
		q->dnsd->system_waiting--;
	client_unref(q->client);
	q->client = NULL;
	list_add_front(&q->dnsd->free, &q->node);
	q->dnsd->waiting--;
}

static void on_done(struct forward_waiter *w, const struct forward_result *r)
{
	struct query *q = container_of(w, struct query, waiter);

	/* The upstreams were changed under the question. */
	if (r->status == -ECANCELED && q->dnsd->forwarder && (q->to.udp || q->to.tcp)) {
		struct cache_key key = query_key(q);
		if (!forwarder_ask(q->dnsd->forwarder, &key, w))
			return;
	}
	if (r->status != -ECANCELED && (q->to.udp || q->to.tcp))
		query_answer_late(q, r);
	/* Takes the query off its connection when it was not answered. */
	if (q->to.tcp && !list_is_empty(&q->to.node))
		reply_end(&q->to, 0);
	query_free(q);
}

/* The gateway's own daemons ask for many devices: they may have half of all. */
static bool has_share(const struct dnsd *d, const struct client *c)
{
	unsigned left = QUERIES_MAX - d->waiting;

	return c ? c->under_way < share_of(left, CLIENT_UNDER_WAY_MAX) : d->system_waiting < left;
}

/* Memory that was never used stays untouched. */
static struct query *take(struct dnsd *d, const struct client *c)
{
	if (!has_share(d, c))
		return NULL;
	if (list_is_empty(&d->free))
		return &d->pool[d->waiting];
	struct query *q = container_of(d->free.next, struct query, node);
	list_remove(&q->node);
	return q;
}

int query_wait(const struct query *asked)
{
	struct dnsd *d = asked->dnsd;
	struct query *q = take(d, asked->client);

	if (!q)
		return -EBUSY;
	*q = *asked;
	d->waiting++;
	q->is_asked = true;
	q->waiter.on_done = on_done;
	list_init(&q->node);
	list_init(&q->to.node);
	list_init(&q->waiter.node);
	if (q->client)
		client_ref(q->client)->under_way++;
	else
		d->system_waiting++;
	struct cache_key key = query_key(q);
	if (forwarder_ask(d->forwarder, &key, &q->waiter)) {
		query_free(q);
		return -EBUSY;
	}
	reply_hold(&q->to);
	return 0;
}

int query_pool_init(struct dnsd *d)
{
	list_init(&d->free);
	d->pool = calloc(QUERIES_MAX, sizeof(*d->pool));
	return d->pool ? 0 : -ENOMEM;
}

void query_pool_fini(struct dnsd *d)
{
	free(d->pool);
	d->pool = NULL;
}
