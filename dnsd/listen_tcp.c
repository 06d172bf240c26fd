/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/listen_tcp.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/stream.h"
#include "common/timer.h"
#include "dnsd/message.h"
#include "dnsd/share.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX	   512
#define CLIENTS_PER_SOURCE 16
#define UNDER_WAY_MAX	   64
#define QUERY_MAX	   4096 /* no question is longer */
#define FRAME_HEADER	   2
#define MESSAGE_TIME_MS	   5000 /* from its first byte to its last */
#define TICK_MS		   1000

static const struct stream_limits limits = {
	.idle_ms = 10000,
	.write_ms = 5000,
	.max_pending = 512 * 1024,
};

struct tcp_client {
	struct list node;
	struct tcp_listener *listener;
	struct stream *stream;
	struct addr source;
	uint16_t port;
	struct buf in;
	uint64_t begun_ms; /* when the message being read began; 0 = none */
	struct list held;  /* reply_to of questions under way */
	unsigned under_way;
	bool taking; /* in take_all: answers that come at once need not call it again */
	bool eof;    /* the client asks no more */
	bool closing;
};

struct tcp_listener {
	uv_loop_t *loop;
	struct listener *listener;
	struct timer tick;
	struct list clients;
	unsigned count;
	bool system, closing, tick_closed;
	struct tcp_listener_ops ops;
	void *arg;
	uint8_t answer[FRAME_HEADER + MESSAGE_MAX];
};

static void maybe_free(struct tcp_listener *l)
{
	if (l->closing && l->tick_closed && list_is_empty(&l->clients))
		free(l);
}

static void client_close(struct tcp_client *c, int why)
{
	c->closing = true;
	while (!list_is_empty(&c->held)) {
		struct reply_to *to = container_of(c->held.next, struct reply_to, node);
		list_remove(&to->node);
		to->tcp = NULL;
	}
	stream_close(c->stream, why);
}

static void on_close(struct stream *s, int why)
{
	struct tcp_client *c = stream_data(s);
	struct tcp_listener *l = c->listener;

	(void)why;
	while (!list_is_empty(&c->held)) {
		struct reply_to *to = container_of(c->held.next, struct reply_to, node);
		list_remove(&to->node);
		to->tcp = NULL;
	}
	list_remove(&c->node);
	l->count--;
	buf_fini(&c->in);
	free(c);
	maybe_free(l);
}

/* A client that asks no more gives its place up as soon as it has its answers. */
static void finish_if_over(struct tcp_client *c)
{
	if (!c->eof || c->closing || c->taking || c->under_way)
		return;
	c->closing = true;
	stream_finish(c->stream, 0);
}

/* The messages that are complete, as long as not too many are under way. */
static void take_all(struct tcp_client *c)
{
	size_t at = 0;

	c->taking = true;
	while (!c->closing && c->under_way < UNDER_WAY_MAX && c->in.len - at >= FRAME_HEADER) {
		size_t frame = message_get16(c->in.data + at);
		if (frame < MESSAGE_HEADER_LEN || frame > QUERY_MAX) {
			client_close(c, -EPROTO);
			break;
		}
		if (c->in.len - at < FRAME_HEADER + frame)
			break;
		struct reply_to to = { .tcp = c,
			.source = c->source,
			.port = c->port,
			.system = c->listener->system };
		list_init(&to.node);
		at += FRAME_HEADER + frame;
		c->listener->ops.on_query(c->listener->arg, c->in.data + at - frame, frame, &to);
	}
	c->taking = false;
	if (c->closing)
		return;
	buf_consume(&c->in, at);
	c->begun_ms = c->in.len ? clock_mono_ms() : 0;
	if (c->under_way >= UNDER_WAY_MAX)
		stream_pause(c->stream);
	else if (stream_is_paused(c->stream))
		stream_resume(c->stream);
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct tcp_client *c = stream_data(s);
	uint64_t begun_ms = c->begun_ms;
	bool had_part = c->in.len > 0;

	if (c->closing)
		return;
	if (buf_append(&c->in, data, len)) {
		client_close(c, -ENOMEM);
		return;
	}
	take_all(c);
	/* Trickled bytes do not prolong the time a message has. */
	if (!c->closing && had_part && c->in.len && c->in.len < QUERY_MAX && begun_ms)
		c->begun_ms = begun_ms;
}

static void on_eof(struct stream *s)
{
	struct tcp_client *c = stream_data(s);

	c->eof = true;
	finish_if_over(c);
}

static void on_open(struct stream *s)
{
	(void)s;
}

uint8_t *tcp_client_begin(struct tcp_client *c, size_t *cap)
{
	*cap = MESSAGE_MAX;
	return c->listener->answer + FRAME_HEADER;
}

void tcp_client_hold(struct tcp_client *c, struct reply_to *to)
{
	list_add(&c->held, &to->node);
	c->under_way++;
}

void tcp_client_end(struct tcp_client *c, struct reply_to *to, size_t len)
{
	if (!list_is_empty(&to->node)) {
		list_remove(&to->node);
		c->under_way--;
	}
	if (c->closing)
		return;
	if (len) {
		message_put16(c->listener->answer, (unsigned)len);
		if (stream_write(c->stream, c->listener->answer, FRAME_HEADER + len)) {
			client_close(c, -EPIPE);
			return;
		}
	}
	if (!c->taking && (stream_is_paused(c->stream) || c->in.len))
		take_all(c);
	finish_if_over(c);
}

static unsigned count_of(const struct tcp_listener *l, const struct addr *source)
{
	unsigned n = 0;

	list_foreach (&l->clients, it)
		n += addr_equal(&container_of(it, struct tcp_client, node)->source, source);
	return n;
}

static bool is_welcome(const struct tcp_listener *l, const struct addr *source)
{
	if (l->closing || l->count >= CLIENTS_MAX)
		return false;
	if (l->system)
		return true;
	return l->ops.is_known(l->arg, source) &&
	       count_of(l, source) < share_of(CLIENTS_MAX - l->count, CLIENTS_PER_SOURCE);
}

static void on_accept(struct listener *listener, int fd, const struct sockaddr *peer, void *data)
{
	static const struct stream_ops stream_ops = {
		.on_open = on_open, .on_read = on_read, .on_eof = on_eof, .on_close = on_close
	};
	struct tcp_listener *l = data;
	struct addr source = addr_from_sockaddr(peer);
	struct tcp_client *c = is_welcome(l, &source) ? calloc(1, sizeof(*c)) : NULL;

	(void)listener;
	if (!c) {
		close(fd);
		return;
	}
	c->listener = l;
	c->source = source;
	c->port = sockaddr_port(peer);
	list_init(&c->held);
	buf_init(&c->in, 256 * 1024);
	if (stream_accept(l->loop, fd, NULL, &limits, &stream_ops, c, &c->stream)) {
		free(c);
		return;
	}
	list_add(&l->clients, &c->node);
	l->count++;
}

static void on_tick(struct timer *t)
{
	struct tcp_listener *l = t->data;
	uint64_t now_ms = clock_mono_ms();

	list_foreach_safe (&l->clients, it) {
		struct tcp_client *c = container_of(it, struct tcp_client, node);
		if (c->begun_ms && now_ms - c->begun_ms > MESSAGE_TIME_MS && !c->closing &&
			!stream_is_paused(c->stream))
			client_close(c, -ETIMEDOUT);
	}
}

int tcp_listener_open(uv_loop_t *loop, const struct endpoint *at, bool system,
	const struct tcp_listener_ops *ops, void *arg, struct tcp_listener **out)
{
	struct listener_options opt = { .reuse_port = true, .freebind = true };
	struct tcp_listener *l = calloc(1, sizeof(*l));
	struct sockaddr_storage ss;

	if (!l)
		return -ENOMEM;
	list_init(&l->clients);
	l->system = system;
	l->ops = *ops;
	l->loop = loop;
	l->arg = arg;
	addr_to_sockaddr(&at->addr, at->port, &ss);
	int rc = listener_open(loop, (struct sockaddr *)&ss, &opt, on_accept, l, &l->listener);
	if (!rc)
		rc = timer_init(loop, &l->tick, on_tick, l);
	if (rc) {
		listener_close(l->listener);
		free(l);
		return rc;
	}
	timer_start(&l->tick, TICK_MS, TICK_MS);
	*out = l;
	return 0;
}

static void on_tick_closed(struct timer *t)
{
	struct tcp_listener *l = t->data;

	l->tick_closed = true;
	maybe_free(l);
}

void tcp_listener_close(struct tcp_listener *l)
{
	l->closing = true;
	listener_close(l->listener);
	list_foreach_safe (&l->clients, it)
		client_close(container_of(it, struct tcp_client, node), 0);
	timer_close(&l->tick, on_tick_closed);
}
