/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/upstream_udp.h"

#include "dnsd/message.h"
#include "dnsd/upstream_stream.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SOCKETS		 16
#define USES_MAX	 1024 /* questions before a socket is replaced */
#define BATCH		 64
#define BATCHES_PER_TURN 4
#define ANSWER_MAX	 1500 /* we ask for MESSAGE_UDP_MAX at most */

struct udp_socket {
	uv_poll_t poll;
	struct udp_channel *channel; /* NULL once closing */
	int fd;
	unsigned uses;
	struct exchange_table table;
};

struct batch {
	struct mmsghdr headers[BATCH];
	struct iovec iov[BATCH];
};

struct udp_channel {
	struct upstream *upstream;
	struct udp_socket *sockets[SOCKETS];
	struct udp_socket *turn; /* a random one of them, for the questions of this turn */
	uv_prepare_t flush;	 /* they go before the loop waits */
	unsigned out_count;
	struct batch in, out;
	uint8_t in_data[BATCH][ANSWER_MAX];
	uint8_t out_data[BATCH][EXCHANGE_QUERY_MAX];
};

static void on_closed(uv_handle_t *handle)
{
	struct udp_socket *s = handle->data;

	close(s->fd);
	free(s);
}

static void socket_close(struct udp_socket *s, int status)
{
	struct udp_channel *c = s->channel;

	if (!c)
		return;
	for (unsigned i = 0; i < SOCKETS; i++) {
		if (c->sockets[i] == s)
			c->sockets[i] = NULL;
	}
	if (c->turn == s) {
		c->turn = NULL;
		c->out_count = 0;
	}
	s->channel = NULL;
	uv_close((uv_handle_t *)&s->poll, on_closed);
	exchange_table_fail(&s->table, status);
}

/* The same exchange once more: over TCP, or over UDP because of a cookie. */
static void ask_again(struct upstream *u, struct exchange *x, bool over_tcp)
{
	uint64_t sent_ms = x->sent_ms;

	exchange_table_remove(x);
	x->upstream = u;
	x->sent_ms = sent_ms;
	x->is_repeated = true;
	int rc = over_tcp ? stream_channel_ask(u->stream, x) : udp_channel_ask(u->udp, x);
	if (rc) {
		exchange_table_remove(x);
		x->on_failure(x, rc);
	}
}

static void take(struct udp_socket *s, const uint8_t *msg, size_t len)
{
	if (len < MESSAGE_HEADER_LEN)
		return;
	struct exchange *x = exchange_table_find(&s->table, message_get16(msg));
	struct upstream *u = s->channel->upstream;
	if (!x)
		return;
	switch (upstream_cookie_read(&u->cookie, msg, len)) {
	case COOKIE_WRONG:
		return;
	case COOKIE_NEW:
		ask_again(u, x, x->is_repeated);
		return;
	case COOKIE_REFUSED:
		if (!x->is_repeated) {
			ask_again(u, x, false);
			return;
		}
		break;
	case COOKIE_MISSING:
		if (upstream_cookie_is_expected(&u->cookie)) {
			ask_again(u, x, true);
			return;
		}
		break;
	case COOKIE_FITS:
		break;
	}
	if (x->on_answer(x, msg, len, false) == -EMSGSIZE)
		ask_again(u, x, true);
}

/* How many were read; fewer than BATCH: there are no more. */
static int receive(struct udp_socket *s)
{
	struct udp_channel *c = s->channel;
	int n = recvmmsg(s->fd, c->in.headers, BATCH, MSG_DONTWAIT, NULL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			socket_close(s, -errno); /* ICMP said that nobody is there */
		return 0;
	}
	for (int i = 0; i < n && s->channel; i++) {
		if (!(c->in.headers[i].msg_hdr.msg_flags & MSG_TRUNC))
			take(s, c->in_data[i], c->in.headers[i].msg_len);
	}
	return n;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct udp_socket *s = handle->data;

	(void)status;
	(void)events;
	for (unsigned i = 0; i < BATCHES_PER_TURN && s->channel; i++) {
		if (receive(s) < BATCH)
			return;
	}
}

/* Sends what was asked in this turn; when the network refuses, whoever asked over this socket hears
 * of it. */
static void flush(struct udp_channel *c)
{
	struct udp_socket *s = c->turn;
	unsigned count = c->out_count, sent = 0;
	int err = 0;

	c->turn = NULL;
	c->out_count = 0;
	while (sent < count && !err) {
		int n = sendmmsg(s->fd, c->out.headers + sent, count - sent, MSG_DONTWAIT);
		if (n > 0)
			sent += (unsigned)n;
		else if (errno != EINTR)
			err = errno;
	}
	/* Without room in the socket it is as if the network had lost them. */
	if (err && err != EAGAIN && err != ENOBUFS)
		socket_close(s, -err);
}

static void on_flush(uv_prepare_t *handle)
{
	uv_prepare_stop(handle);
	flush(handle->data);
}

/* The kernel picks a random source port for each new socket. */
static struct udp_socket *socket_open(struct udp_channel *c)
{
	const struct endpoint *to = &c->upstream->spec.endpoint;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&to->addr, to->port, &ss);
	struct udp_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		goto out;
	if (connect(s->fd, (struct sockaddr *)&ss, len) ||
		uv_poll_init(c->upstream->loop, &s->poll, s->fd))
		goto out;
	s->poll.data = s;
	s->channel = c;
	exchange_table_init(&s->table);
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	return s;
out:
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	return NULL;
}

static struct udp_socket *choose(struct udp_channel *c)
{
	if (c->turn && c->out_count == BATCH)
		flush(c);
	if (c->turn)
		return c->turn;
	unsigned at = entropy_get16(c->upstream->entropy) % SOCKETS;
	struct udp_socket *s = c->sockets[at];
	if (s && s->uses >= USES_MAX && !s->table.count) {
		socket_close(s, 0);
		s = NULL;
	}
	if (!s)
		s = c->sockets[at] = socket_open(c);
	c->turn = s;
	return s;
}

static void batch_init(struct batch *b, uint8_t *data, size_t each)
{
	for (unsigned i = 0; i < BATCH; i++) {
		b->iov[i] = (struct iovec){ .iov_base = data + i * each, .iov_len = each };
		b->headers[i].msg_hdr = (struct msghdr){ .msg_iov = &b->iov[i], .msg_iovlen = 1 };
	}
}

struct udp_channel *udp_channel_new(struct upstream *u)
{
	struct udp_channel *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->upstream = u;
	c->flush.data = c;
	uv_prepare_init(u->loop, &c->flush);
	batch_init(&c->in, c->in_data[0], ANSWER_MAX);
	batch_init(&c->out, c->out_data[0], EXCHANGE_QUERY_MAX);
	return c;
}

static void on_flush_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void udp_channel_close(struct udp_channel *c)
{
	for (unsigned i = 0; i < SOCKETS; i++) {
		if (c->sockets[i])
			socket_close(c->sockets[i], -ECANCELED);
	}
	uv_close((uv_handle_t *)&c->flush, on_flush_closed);
}

int udp_channel_ask(struct udp_channel *c, struct exchange *x)
{
	struct udp_socket *s = choose(c);

	if (!s)
		return -ENETUNREACH;
	exchange_table_add(&s->table, x, entropy_get16(c->upstream->entropy));
	size_t len = exchange_write(x, c->out_data[c->out_count]);
	if (!len)
		return -EMSGSIZE;
	c->out.iov[c->out_count].iov_len = len;
	s->uses++;
	if (!c->out_count++)
		uv_prepare_start(&c->flush, on_flush);
	return 0;
}
