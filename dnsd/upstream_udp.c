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

#define SOCKETS	       16
#define USES_MAX       1024 /* questions before a socket is replaced */
#define READS_PER_TURN 64
#define ANSWER_MAX     4096

struct udp_socket {
	uv_poll_t poll;
	struct udp_channel *channel; /* NULL once closing */
	int fd;
	unsigned uses;
	struct exchange_table table;
};

struct udp_channel {
	struct upstream *upstream;
	struct udp_socket *sockets[SOCKETS];
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
	s->channel = NULL;
	uv_close((uv_handle_t *)&s->poll, on_closed);
	exchange_table_fail(&s->table, status);
}

static void take(struct udp_socket *s, const uint8_t *msg, size_t len)
{
	if (len < MESSAGE_HEADER_LEN)
		return;
	struct exchange *x = exchange_table_find(&s->table, message_get16(msg));
	struct upstream *u = s->channel->upstream;
	if (!x)
		return;
	uint64_t sent_ms = x->sent_ms;
	int rc = x->on_answer(x, msg, len, false);
	if (rc != -EMSGSIZE)
		return;
	exchange_table_remove(x);
	x->upstream = u;
	x->sent_ms = sent_ms;
	rc = stream_channel_ask(u->stream, x);
	if (rc) {
		exchange_table_remove(x);
		x->on_failure(x, rc);
	}
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct udp_socket *s = handle->data;
	uint8_t msg[ANSWER_MAX];

	(void)status;
	(void)events;
	for (unsigned i = 0; i < READS_PER_TURN && s->channel; i++) {
		ssize_t n = recv(s->fd, msg, sizeof(msg), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) { /* ICMP said that nobody is there */
			socket_close(s, -errno);
			return;
		}
		if ((size_t)n <= sizeof(msg))
			take(s, msg, (size_t)n);
	}
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
	unsigned at = entropy_get16(c->upstream->entropy) % SOCKETS;
	struct udp_socket *s = c->sockets[at];

	if (s && s->uses >= USES_MAX && !s->table.count) {
		socket_close(s, 0);
		s = NULL;
	}
	if (!s)
		s = c->sockets[at] = socket_open(c);
	return s;
}

struct udp_channel *udp_channel_new(struct upstream *u)
{
	struct udp_channel *c = calloc(1, sizeof(*c));

	if (c)
		c->upstream = u;
	return c;
}

void udp_channel_close(struct udp_channel *c)
{
	for (unsigned i = 0; i < SOCKETS; i++) {
		if (c->sockets[i])
			socket_close(c->sockets[i], -ECANCELED);
	}
	free(c);
}

int udp_channel_ask(struct udp_channel *c, struct exchange *x)
{
	struct udp_socket *s = choose(c);
	uint8_t id[2];

	if (!s)
		return -ENETUNREACH;
	exchange_table_add(&s->table, x, entropy_get16(c->upstream->entropy));
	message_put16(id, x->id);
	struct iovec iov[2] = {
		{ .iov_base = id, .iov_len = sizeof(id) },
		{ .iov_base = (void *)(x->query + 2), .iov_len = x->query_len - 2 },
	};
	s->uses++;
	if (writev(s->fd, iov, 2) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}
