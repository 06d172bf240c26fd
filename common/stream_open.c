/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How streams come to be: connected, accepted, out of a descriptor; and those that begin TLS later.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/stream_internal.h"

static struct stream *stream_alloc(uv_loop_t *loop, bool is_pipe,
	const struct stream_limits *limits, const struct stream_ops *ops, void *data)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->is_pipe = is_pipe;
	s->ops = ops;
	s->data = data;
	stream_apply_limits(s, limits);
	buf_init(&s->unread, STREAM_UNREAD_MAX);
	buf_init(&s->corked, 0);
	if (is_pipe)
		uv_pipe_init(loop, &s->u.pipe, 0);
	else
		uv_tcp_init(loop, &s->u.tcp);
	uv_timer_init(loop, &s->timer);
	uv_idle_init(loop, &s->kick);
	s->u.handle.data = s->timer.data = s->kick.data = s;
	s->open_handles = 3;
	s->last_read = s->last_write = uv_now(loop);
	return s;
}

static const struct stream_ops silent_ops;

/* Ends a stream that the caller never got. */
static int give_up(struct stream *s, int err)
{
	s->ops = &silent_ops;
	stream_close(s, err);
	return err;
}

static int attach_tls(struct stream *s, struct tls_ctx *ctx, const char *name)
{
	return tls_new(ctx, name, s->data, &s->tls);
}

static void on_connect(uv_connect_t *req, int status)
{
	struct stream *s = req->data;

	if (s->state == STREAM_CLOSED)
		return;
	if (status) {
		stream_set_error(s, "connect", status);
		stream_close(s, status);
		return;
	}
	if (!s->is_pipe)
		uv_tcp_nodelay(&s->u.tcp, 1);
	stream_set_state(s, s->tls ? STREAM_HANDSHAKE : STREAM_ACCEPTED);
	stream_pump(s);
}

int stream_connect(uv_loop_t *loop, const struct sockaddr *to, struct tls_ctx *tls,
	const char *name, const struct stream_limits *limits, const struct stream_ops *ops,
	void *data, struct stream **out)
{
	bool is_pipe = to->sa_family == AF_UNIX;
	struct stream *s = stream_alloc(loop, is_pipe, limits, ops, data);
	int err = 0;

	if (!s)
		return -ENOMEM;
	if (tls)
		err = attach_tls(s, tls, name);
	s->connect_req.data = s;
	if (!err && is_pipe)
		uv_pipe_connect(&s->connect_req, &s->u.pipe,
			((const struct sockaddr_un *)to)->sun_path, on_connect);
	else if (!err)
		err = uv_tcp_connect(&s->connect_req, &s->u.tcp, to, on_connect);
	if (err)
		return give_up(s, err);
	stream_set_state(s, STREAM_CONNECTING);
	*out = s;
	return 0;
}

int stream_open_fd(uv_loop_t *loop, int fd, struct tls_ctx *tls, const char *name,
	const struct stream_limits *limits, const struct stream_ops *ops, void *data,
	struct stream **out)
{
	int domain = 0;
	socklen_t len = sizeof(domain);
	struct stream *s;
	int err;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len)) {
		err = -errno;
		close(fd);
		return err;
	}
	s = stream_alloc(loop, domain == AF_UNIX, limits, ops, data);
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	err = s->is_pipe ? uv_pipe_open(&s->u.pipe, fd) : uv_tcp_open(&s->u.tcp, fd);
	if (err) {
		close(fd);
		return give_up(s, err);
	}
	if (!s->is_pipe)
		uv_tcp_nodelay(&s->u.tcp, 1);
	if (tls) {
		err = attach_tls(s, tls, name);
		if (err)
			return give_up(s, err);
	}
	stream_set_state(s, tls ? STREAM_HANDSHAKE : STREAM_ACCEPTED);
	stream_kick(s);
	*out = s;
	return 0;
}

int stream_accept(uv_loop_t *loop, int fd, struct tls_ctx *tls, const struct stream_limits *limits,
	const struct stream_ops *ops, void *data, struct stream **out)
{
	return stream_open_fd(loop, fd, tls, NULL, limits, ops, data, out);
}

static int start_tls(struct stream *s, struct tls_ctx *tls, const char *name)
{
	int err;

	if (s->tls || s->state != STREAM_OPEN || s->is_shut)
		return -EINVAL;
	err = attach_tls(s, tls, name);
	if (!err && s->unread.len) {
		size_t len;
		void *data = buf_release(&s->unread, &len);

		err = tls_feed(s->tls, data, len);
	}
	if (!err && s->raw_eof)
		err = tls_feed(s->tls, NULL, 0);
	if (err) {
		tls_free(s->tls);
		s->tls = NULL;
		return err;
	}
	buf_fini(&s->unread);
	buf_init(&s->unread, STREAM_UNREAD_MAX);
	s->paused = false;
	stream_set_state(s, STREAM_HANDSHAKE);
	stream_kick(s);
	return 0;
}

int stream_start_tls_server(struct stream *s, struct tls_ctx *tls, const char *name)
{
	return start_tls(s, tls, name);
}

int stream_start_tls_client(struct stream *s, struct tls_ctx *tls, const char *name)
{
	return start_tls(s, tls, name);
}
