/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/resolver.h"
#include "common/list.h"
#include "common/log.h"
#include "common/timer.h"
#include <ares.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY_MS	    2500
#define TRIES	    2
#define ALIASES_LEN 2048
/* How often c-ares looks for queries whose time is up. */
#define TICK_MS 500

struct resolver {
	uv_loop_t *loop;
	ares_channel channel;
	struct timer tick; /* c-ares looks at its deadlines */
	struct list queries;
	struct list answers; /* ready, to be delivered from the loop */
	struct timer deliver;
	struct list watches;
	unsigned handles; /* still to be closed before it is freed */
};

struct resolver_query {
	struct list node; /* in queries, then in answers */
	struct resolver *r;
	resolver_on_done on_done; /* NULL: cancelled */
	void *arg;
	int status;
	uint32_t ttl_s;
	struct addr addrs[RESOLVER_MAX_ADDRS];
	size_t n;
	char aliases[ALIASES_LEN];
};

/* One socket of c-ares. */
struct watch {
	struct list node;
	uv_poll_t poll;
	struct resolver *r;
	ares_socket_t fd;
};

static void unref(struct resolver *r)
{
	if (--r->handles == 0)
		free(r);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	const struct watch *w = poll->data;
	/* An error is for c-ares to see on the socket. */
	bool readable = status < 0 || events & UV_READABLE;
	bool writable = status < 0 || events & UV_WRITABLE;

	ares_process_fd(w->r->channel, readable ? w->fd : ARES_SOCKET_BAD,
		writable ? w->fd : ARES_SOCKET_BAD);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *w = handle->data;

	unref(w->r);
	free(w);
}

static struct watch *find_watch(const struct resolver *r, ares_socket_t fd)
{
	list_foreach (&r->watches, it) {
		struct watch *w = container_of(it, struct watch, node);
		if (w->fd == fd)
			return w;
	}
	return NULL;
}

static struct watch *make_watch(struct resolver *r, ares_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w || uv_poll_init(r->loop, &w->poll, fd)) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->r = r;
	w->fd = fd;
	list_add(&r->watches, &w->node);
	r->handles++;
	return w;
}

static void close_watch(struct watch *w)
{
	list_remove(&w->node);
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/* c-ares opened a socket, wants to know of it, or is about to close it (neither way). */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	struct watch *w = find_watch(r, fd);
	int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);

	if (!events) {
		if (w)
			close_watch(w);
		return;
	}
	if (!w)
		w = make_watch(r, fd);
	if (!w || uv_poll_start(&w->poll, events, on_poll))
		log_error("resolver cannot watch a socket");
}

static void on_tick(struct timer *t)
{
	struct resolver *r = t->data;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (list_is_empty(&r->queries))
		timer_stop(t);
}

static void on_deliver(struct timer *t)
{
	struct resolver *r = t->data;

	while (!list_is_empty(&r->answers)) {
		struct resolver_query *q =
			container_of(r->answers.next, struct resolver_query, node);
		list_remove(&q->node);
		if (q->on_done)
			q->on_done(q->arg, q->status, q->addrs, q->n);
		free(q);
	}
}

static void answer(struct resolver_query *q, int status)
{
	q->status = status;
	list_remove(&q->node);
	list_add(&q->r->answers, &q->node);
	timer_start(&q->r->deliver, 0, 0);
}

static int errno_of(int ares_status)
{
	switch (ares_status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
		return -ENOENT;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_EBADNAME:
		return -EINVAL;
	case ARES_ENOMEM:
		return -ENOMEM;
	case ARES_EDESTRUCTION:
	case ARES_ECANCELLED:
		return -ECANCELED;
	default:
		return -EIO;
	}
}

/* IPv4 and IPv6 come by the same ones. False: they are more than anybody has. */
static bool add_alias(struct resolver_query *q, const char *name)
{
	char line[260];
	size_t used = strlen(q->aliases);
	int len = snprintf(line, sizeof(line), "%s\n", name);

	if (len < 0 || (size_t)len >= sizeof(line))
		return false;
	for (char *c = line; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strstr(q->aliases, line))
		return true;
	if (used + (size_t)len >= sizeof(q->aliases))
		return false;
	memcpy(q->aliases + used, line, (size_t)len + 1);
	return true;
}

static void on_ares(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolver_query *q = arg;

	(void)timeouts;
	for (struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next) {
		struct addr a = addr_from_sockaddr(n->ai_addr);
		uint32_t ttl_s = n->ai_ttl > 0 ? (uint32_t)n->ai_ttl : 0;
		if (ttl_s < q->ttl_s)
			q->ttl_s = ttl_s;
		if (a.family && q->n < RESOLVER_MAX_ADDRS)
			q->addrs[q->n++] = a;
	}
	for (struct ares_addrinfo_cname *c = info ? info->cnames : NULL; c; c = c->next) {
		if (c->name && c->alias && !add_alias(q, c->name))
			status = ARES_EBADRESP;
	}
	if (info)
		ares_freeaddrinfo(info);
	answer(q, status == ARES_SUCCESS && !q->n ? -ENOENT : errno_of(status));
}

static int open_channel(struct resolver *r, const struct endpoint *server)
{
	char text[ENDPOINT_STRLEN];
	char lookups[] = "b";
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
		.timeout = TRY_MS,
		.tries = TRIES,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_QUERY_CACHE
	/* dnsd keeps answers, and knows when policy changes them. */
	mask |= ARES_OPT_QUERY_CACHE;
	o.qcache_max_ttl = 0;
#endif
	if (ares_library_init(ARES_LIB_INIT_ALL))
		return -ENOMEM;
	if (ares_init_options(&r->channel, &o, mask)) {
		ares_library_cleanup();
		return -ENOMEM;
	}
	endpoint_format(server, text);
	if (ares_set_servers_ports_csv(r->channel, text)) {
		ares_destroy(r->channel);
		ares_library_cleanup();
		return -EINVAL;
	}
	return 0;
}

struct resolver *resolver_open(uv_loop_t *loop, const struct endpoint *server)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = loop;
	list_init(&r->queries);
	list_init(&r->answers);
	list_init(&r->watches);
	if (open_channel(r, server)) {
		free(r);
		return NULL;
	}
	timer_init(loop, &r->tick, on_tick, r);
	timer_init(loop, &r->deliver, on_deliver, r);
	r->handles = 2;
	return r;
}

static void on_timer_closed(struct timer *t)
{
	unref(t->data);
}

void resolver_close(struct resolver *r)
{
	ares_destroy(r->channel); /* queries end with ARES_EDESTRUCTION */
	ares_library_cleanup();
	on_deliver(&r->deliver);
	timer_close(&r->tick, on_timer_closed);
	timer_close(&r->deliver, on_timer_closed);
}

struct resolver_query *resolver_start(
	struct resolver *r, const char *name, resolver_on_done on_done, void *arg)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_family = AF_UNSPEC,
		.ai_flags = ARES_AI_NOSORT,
		.ai_socktype = SOCK_STREAM,
	};
	struct resolver_query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->r = r;
	q->on_done = on_done;
	q->arg = arg;
	q->ttl_s = UINT32_MAX;
	list_add(&r->queries, &q->node);
	if (!addr_parse(name, &q->addrs[0])) {
		q->n = 1;
		answer(q, 0);
		return q;
	}
	if (!timer_is_active(&r->tick))
		timer_start(&r->tick, TICK_MS, TICK_MS);
	ares_getaddrinfo(r->channel, name, NULL, &hints, on_ares, q);
	return q;
}

uint32_t resolver_ttl_s(const struct resolver_query *q)
{
	return q->ttl_s;
}

const char *resolver_aliases(const struct resolver_query *q)
{
	return q->aliases;
}

void resolver_cancel(struct resolver_query *q)
{
	q->on_done = NULL;
}
