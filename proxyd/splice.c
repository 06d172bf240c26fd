/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/splice.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS	   1000
#define HELLO_MS   10000
#define CONNECT_MS 30000
#define ANSWER_MS  30000
#define STALLED_MS 60000
/* One connection's part of a turn of the loop. */
#define TURN_BYTES (1024 * 1024)
#define BULK_LEN   (1024 * 1024)
/* Below that a pipe is not worth its calls. */
#define BULK_MIN 16384

/* ---- what all share ---- */

static void on_tick(struct timer *t)
{
	struct splicer *r = t->data;
	uint64_t now = uv_now(r->loop);

	for (int w = 0; w < SPLICE_WAITS; w++) {
		while (r->limits_ms[w] && !list_is_empty(&r->waits[w])) {
			struct splice *s = container_of(r->waits[w].next, struct splice, node);
			if (now - s->since < r->limits_ms[w])
				break;
			s->on_end(s, -ETIMEDOUT);
		}
	}
	if (!r->count)
		timer_stop(t);
}

int splicer_open(struct splicer *r, uv_loop_t *loop, uint32_t idle_ms)
{
	*r = (struct splicer){
		.loop = loop,
		.limits_ms = { HELLO_MS, CONNECT_MS, ANSWER_MS, idle_ms, STALLED_MS },
	};
	for (int w = 0; w < SPLICE_WAITS; w++)
		list_init(&r->waits[w]);
	timer_init(loop, &r->tick, on_tick, r);
	r->poller = poller_open(loop);
	r->pipes = pipes_new();
	r->buffer = malloc(SPLICE_BUFFER_LEN);
	return r->poller && r->pipes && r->buffer ? 0 : -ENOMEM;
}

void splicer_close(struct splicer *r)
{
	if (!r->loop)
		return;
	if (r->poller)
		poller_close(r->poller);
	pipes_free(r->pipes);
	free(r->buffer);
	timer_close(&r->tick, NULL);
	r->loop = NULL;
}

void splice_set_wait(struct splice *s, enum splice_wait wait)
{
	list_remove(&s->node);
	s->wait = wait;
	s->since = uv_now(s->splicer->loop);
	list_add(&s->splicer->waits[wait], &s->node);
}

/* ---- one direction ---- */

/* Bytes that call sent; -EAGAIN with the end not writable, or -errno. */
static ssize_t sent(struct splice_end *to, ssize_t n)
{
	if (n >= 0)
		return n;
	if (errno != EAGAIN && errno != EINTR)
		return -errno;
	to->is_writable = false;
	return -EAGAIN;
}

/* Bytes that call read of `want`; 0 at the end, too; -EAGAIN with the end not readable, -errno. */
static ssize_t got(struct splice_end *from, ssize_t n, size_t want)
{
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	if (n == 0)
		from->has_ended = true;
	/* The rest comes with an event of its own, but for the end that was told already. */
	if (n <= 0 || ((size_t)n < want && !from->is_ending))
		from->is_readable = false;
	return n < 0 ? -EAGAIN : n;
}

int splice_put(struct splice *s, enum splice_side from, const void *data, size_t len)
{
	struct splice_way *way = &s->ways[from];
	size_t old = way->rest_len - way->rest_at;
	uint8_t *joined = malloc(old + len);

	if (!joined)
		return -ENOMEM;
	if (old)
		memcpy(joined, way->rest + way->rest_at, old);
	memcpy(joined + old, data, len);
	free(way->rest);
	way->rest = joined;
	way->rest_at = 0;
	way->rest_len = old + len;
	return 0;
}

int splice_flush(struct splice *s, enum splice_side from)
{
	struct splice_way *way = &s->ways[from];
	struct splice_end *to = &s->ends[!from];

	while (way->rest) {
		ssize_t n = sent(to, send(to->watch.fd, way->rest + way->rest_at,
					     way->rest_len - way->rest_at, MSG_NOSIGNAL));
		if (n < 0)
			return (int)n;
		s->splicer->bytes += (size_t)n;
		way->bytes += (size_t)n;
		way->rest_at += (size_t)n;
		if (way->rest_at == way->rest_len) {
			free(way->rest);
			way->rest = NULL;
			way->rest_at = way->rest_len = 0;
		}
	}
	return 0;
}

static int flush_pipe(struct splice *s, enum splice_side from)
{
	struct splice_way *way = &s->ways[from];
	struct splice_end *to = &s->ends[!from];

	while (way->pipe && way->pipe->in_use) {
		ssize_t n = sent(to, splice(way->pipe->out, NULL, to->watch.fd, NULL,
					     way->pipe->in_use, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
		if (n < 0)
			return (int)n;
		s->splicer->bytes += (size_t)n;
		way->bytes += (size_t)n;
		way->pipe->in_use -= (size_t)n;
	}
	return 0;
}

static void drop_pipe(struct splice *s, struct splice_way *way)
{
	if (way->pipe)
		pipes_give(s->splicer->pipes, way->pipe);
	way->pipe = NULL;
	way->is_bulk = false;
}

ssize_t splice_read(struct splice *s, enum splice_side from)
{
	struct splice_end *in = &s->ends[from];

	return got(in, recv(in->watch.fd, s->splicer->buffer, SPLICE_BUFFER_LEN, 0),
		SPLICE_BUFFER_LEN);
}

/* Bytes read, 0 at the end, -EAGAIN or -errno. */
static ssize_t copy(struct splice *s, enum splice_side from)
{
	struct splice_end *out = &s->ends[!from];
	const uint8_t *buffer = s->splicer->buffer;
	ssize_t n = splice_read(s, from), m;

	if (n <= 0)
		return n;
	s->ways[from].is_bulk = n == SPLICE_BUFFER_LEN;
	m = sent(out, send(out->watch.fd, buffer, (size_t)n, MSG_NOSIGNAL));
	if (m < 0 && m != -EAGAIN)
		return m;
	if (m < 0)
		m = 0;
	s->splicer->bytes += (size_t)m;
	s->ways[from].bytes += (size_t)m;
	if (m < n) {
		int err = splice_put(s, from, buffer + m, (size_t)(n - m));
		if (err)
			return err;
	}
	return n;
}

static ssize_t move(struct splice *s, enum splice_side from)
{
	struct splice_way *way = &s->ways[from];
	struct splice_end *in = &s->ends[from];
	ssize_t n;

	if (!way->pipe)
		way->pipe = pipes_take(s->splicer->pipes);
	if (!way->pipe) {
		way->is_bulk = false;
		return copy(s, from);
	}
	/* A pipe may be full long before that: only EAGAIN says that nothing is left. */
	n = got(in,
		splice(in->watch.fd, NULL, way->pipe->in, NULL, BULK_LEN,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK),
		0);
	if (n > 0)
		way->pipe->in_use = (size_t)n;
	way->is_bulk = n >= BULK_MIN;
	return n;
}

static int finish_way(struct splice *s, enum splice_side from)
{
	struct splice_end *to = &s->ends[!from];

	if (!s->ends[from].has_ended || to->is_shut)
		return 0;
	to->is_shut = true;
	/* Both are: closing says so. */
	if (s->ends[from].is_shut)
		return 0;
	return shutdown(to->watch.fd, SHUT_WR) && errno != ENOTCONN ? -errno : 0;
}

/* Moves what can be moved. 1: there is more for another turn; 0; -errno. */
static int pump(struct splice *s, enum splice_side from)
{
	struct splice_way *way = &s->ways[from];
	struct splice_end *in = &s->ends[from];
	size_t moved = 0;

	for (;;) {
		int err = splice_flush(s, from);
		if (!err)
			err = flush_pipe(s, from);
		if (err)
			return err == -EAGAIN ? 0 : err;
		if (!way->is_bulk)
			drop_pipe(s, way);
		if (in->has_ended)
			return finish_way(s, from);
		if (!in->is_readable)
			return 0;
		if (moved >= TURN_BYTES)
			return 1;
		ssize_t n = way->is_bulk ? move(s, from) : copy(s, from);
		if (n < 0 && n != -EAGAIN)
			return (int)n;
		if (n > 0)
			moved += (size_t)n;
	}
}

/* ---- both ---- */

static bool is_pending(const struct splice_way *way)
{
	return way->rest || (way->pipe && way->pipe->in_use);
}

static void run(struct splice *s)
{
	uint64_t before = s->splicer->bytes;
	int up = pump(s, SPLICE_CLIENT);
	int down = up < 0 ? up : pump(s, SPLICE_SERVER);
	bool is_stalled = is_pending(&s->ways[0]) || is_pending(&s->ways[1]);

	if (down < 0 || (s->ends[0].is_shut && s->ends[1].is_shut)) {
		s->on_end(s, down < 0 ? down : 0);
		return;
	}
	if (s->splicer->bytes != before || is_stalled != (s->wait == SPLICE_STALLED))
		splice_set_wait(s, is_stalled ? SPLICE_STALLED : SPLICE_IDLE);
	if (up > 0 || down > 0)
		poller_again(s->splicer->poller, &s->ends[0].watch);
}

static void on_ready(struct poll_watch *w, unsigned what)
{
	struct splice_end *end = container_of(w, struct splice_end, watch);
	struct splice *s = end->splice;

	end->is_readable |= !!(what & POLLER_READABLE);
	end->is_writable |= !!(what & POLLER_WRITABLE);
	end->is_ending |= !!(what & POLLER_ENDED);
	if (s->on_ready)
		s->on_ready(s);
	else
		run(s);
}

void splice_init(struct splicer *r, struct splice *s, enum splice_wait wait)
{
	list_init(&s->node);
	s->splicer = r;
	for (int i = 0; i < 2; i++) {
		struct splice_end *end = &s->ends[i];
		list_init(&end->watch.again);
		end->watch.fd = -1;
		end->watch.on_ready = on_ready;
		end->splice = s;
	}
	splice_set_wait(s, wait);
	if (!r->count++)
		timer_start(&r->tick, TICK_MS, TICK_MS);
}

int splice_watch(struct splice *s, enum splice_side side, int fd)
{
	/* That it is readable comes as an event. */
	s->ends[side].watch.fd = fd;
	s->ends[side].is_writable = true;
	return poller_add(s->splicer->poller, &s->ends[side].watch);
}

void splice_start(struct splice *s)
{
	s->on_ready = NULL;
	splice_set_wait(s, SPLICE_IDLE);
	run(s);
}

void splice_reset(int fd)
{
	static const struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void close_end(struct splice *s, struct splice_end *end, bool reset)
{
	if (end->watch.fd < 0)
		return;
	poller_remove(s->splicer->poller, &end->watch);
	if (reset)
		splice_reset(end->watch.fd);
	else
		close(end->watch.fd);
	end->watch.fd = -1;
}

void splice_close(struct splice *s, bool reset)
{
	for (int i = 0; i < 2; i++) {
		close_end(s, &s->ends[i], reset);
		free(s->ways[i].rest);
		s->ways[i].rest = NULL;
		drop_pipe(s, &s->ways[i]);
	}
	list_remove(&s->node);
	s->splicer->count--;
}
