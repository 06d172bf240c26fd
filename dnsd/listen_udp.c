/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/listen_udp.h"

#include "common/log.h"
#include "dnsd/message.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH		 LISTEN_BATCH
#define BATCHES_PER_TURN 4
#define QUERY_MAX	 1500 /* longer datagrams are no queries */
#define ANSWER_MAX	 MESSAGE_UDP_MAX
#define SOCKET_BUFFER	 (4 * 1024 * 1024)

struct batch {
	struct mmsghdr headers[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage peers[BATCH];
};

struct udp_listener {
	uv_poll_t poll;
	uv_prepare_t flush; /* answers that came outside of a batch go before the loop waits */
	unsigned handles;
	int fd;
	bool system;
	struct udp_listener_ops ops;
	void *arg;
	struct batch in, out;
	unsigned out_count;
	uint8_t in_data[BATCH][QUERY_MAX];
	uint8_t out_data[BATCH][ANSWER_MAX];
};

static void flush(struct udp_listener *l)
{
	unsigned sent = 0;

	while (sent < l->out_count) {
		int n = sendmmsg(l->fd, l->out.headers + sent, l->out_count - sent, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			break; /* the clients ask again */
		sent += n > 0 ? (unsigned)n
			      : 1; /* one that cannot be sent does not hold up others */
	}
	l->out_count = 0;
}

static void on_flush(uv_prepare_t *handle)
{
	flush(handle->data);
}

uint8_t *udp_listener_begin(struct udp_listener *l, size_t *cap)
{
	if (l->out_count == BATCH)
		flush(l);
	*cap = ANSWER_MAX;
	return l->out_data[l->out_count];
}

void udp_listener_end(struct udp_listener *l, const struct addr *to, uint16_t port, size_t len)
{
	unsigned at = l->out_count;

	if (!len)
		return;
	l->out.iov[at].iov_len = len;
	l->out.headers[at].msg_hdr.msg_namelen = addr_to_sockaddr(to, port, &l->out.peers[at]);
	l->out_count++;
}

static int receive(struct udp_listener *l)
{
	for (unsigned i = 0; i < BATCH; i++)
		l->in.headers[i].msg_hdr.msg_namelen = sizeof(l->in.peers[i]);
	return recvmmsg(l->fd, l->in.headers, BATCH, MSG_DONTWAIT, NULL);
}

static void take(struct udp_listener *l, unsigned at)
{
	const struct sockaddr *peer = (const struct sockaddr *)&l->in.peers[at];
	struct reply_to to = {
		.udp = l,
		.source = addr_from_sockaddr(peer),
		.port = sockaddr_port(peer),
		.system = l->system,
	};

	if (to.port && !(l->in.headers[at].msg_hdr.msg_flags & MSG_TRUNC))
		l->ops.on_query(l->arg, l->in_data[at], l->in.headers[at].msg_len, &to);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct udp_listener *l = handle->data;

	(void)status;
	(void)events;
	for (unsigned turn = 0; turn < BATCHES_PER_TURN; turn++) {
		int n = receive(l);
		if (n > 1)
			l->ops.on_batch(l->arg, l->in.headers, (unsigned)n);
		for (int i = 0; i < n; i++)
			take(l, (unsigned)i);
		flush(l);
		if (n < BATCH)
			return;
	}
}

static void batch_init(struct batch *b, uint8_t *data, size_t each)
{
	for (unsigned i = 0; i < BATCH; i++) {
		b->iov[i] = (struct iovec){ .iov_base = data + i * each, .iov_len = each };
		b->headers[i].msg_hdr = (struct msghdr){
			.msg_name = &b->peers[i],
			.msg_namelen = sizeof(b->peers[i]),
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
		};
	}
}

static int bind_socket(const struct endpoint *at)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&at->addr, at->port, &ss);
	bool v6 = at->addr.family == AF_INET6;
	int yes = 1, size = SOCKET_BUFFER;
	int probe = v6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE;
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &yes,
		sizeof(yes));
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	/* Never fragments: an answer fits every path that a tunnel has, and parts could be forged.
	 */
	setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER,
		&probe, sizeof(probe));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (!bind(fd, (struct sockaddr *)&ss, len))
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

int udp_listener_open(uv_loop_t *loop, const struct endpoint *at, bool system,
	const struct udp_listener_ops *ops, void *arg, struct udp_listener **out)
{
	struct udp_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = bind_socket(at);
	if (l->fd < 0) {
		int rc = l->fd;
		free(l);
		return rc;
	}
	int rc = uv_poll_init(loop, &l->poll, l->fd);
	if (rc) {
		close(l->fd);
		free(l);
		return rc;
	}
	uv_prepare_init(loop, &l->flush);
	l->handles = 2;
	l->poll.data = l->flush.data = l;
	l->system = system;
	l->ops = *ops;
	l->arg = arg;
	batch_init(&l->in, l->in_data[0], QUERY_MAX);
	batch_init(&l->out, l->out_data[0], ANSWER_MAX);
	uv_prepare_start(&l->flush, on_flush);
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
	*out = l;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct udp_listener *l = handle->data;

	if (--l->handles)
		return;
	close(l->fd);
	free(l);
}

void udp_listener_close(struct udp_listener *l)
{
	flush(l);
	uv_close((uv_handle_t *)&l->poll, on_closed);
	uv_close((uv_handle_t *)&l->flush, on_closed);
}
