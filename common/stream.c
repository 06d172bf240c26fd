/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/stream_internal.h"

#define FINISH_MS 2000

const struct stream_limits stream_default_limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 60000,
	.write_ms = 30000,
	.high_mark = 256 * 1024,
	.low_mark = 64 * 1024,
	.max_pending = 8 * 1024 * 1024,
};

void stream_set_error(struct stream *s, const char *what, int err)
{
	struct tls_info info;

	if (s->error[0])
		return;
	if (s->tls && !strcmp(what, "tls")) {
		tls_get_info(s->tls, &info);
		snprintf(s->error, sizeof(s->error), "tls: %s", info.error);
		return;
	}
	snprintf(s->error, sizeof(s->error), "%s: %s", what, uv_strerror(err));
}

/* -- Deadlines -- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

/* The next deadline as loop time, 0 = none. */
static uint64_t deadline(const struct stream *s)
{
	const struct stream_limits *l = &s->limits;
	uint64_t last = s->last_read > s->last_write ? s->last_read : s->last_write;
	uint64_t at = 0;

	switch (s->state) {
	case STREAM_CONNECTING:
		return l->connect_ms ? s->state_since + l->connect_ms : 0;
	case STREAM_HANDSHAKE:
		return l->handshake_ms ? s->state_since + l->handshake_ms : 0;
	case STREAM_OPEN:
		if (l->idle_ms && !s->paused)
			at = last + l->idle_ms;
		if (l->write_ms && s->pending)
			at = sooner(at, s->last_write + l->write_ms);
		return at;
	case STREAM_FINISHING:
		if (s->pending)
			return s->last_write + (l->write_ms ? l->write_ms : FINISH_MS);
		return sooner(s->state_since, 0) + FINISH_MS;
	case STREAM_ACCEPTED:
	case STREAM_CLOSED:
		break;
	}
	return 0;
}

static void on_deadline(uv_timer_t *timer);

/* Arms for the state. Activity only moves the times; the timer looks again when it fires. */
static void arm(struct stream *s)
{
	uint64_t now = uv_now(s->kick.loop);
	uint64_t at = deadline(s);
	uint64_t delay = at > now ? at - now : (at ? 1 : 0);

	if (s->state == STREAM_OPEN)
		delay = sooner(delay, sooner(s->limits.idle_ms, s->limits.write_ms));
	if (delay)
		uv_timer_start(&s->timer, on_deadline, delay, 0);
	else
		uv_timer_stop(&s->timer);
}

static void on_deadline(uv_timer_t *timer)
{
	struct stream *s = timer->data;
	uint64_t at = deadline(s);

	if (!at || at > uv_now(timer->loop)) {
		arm(s);
		return;
	}
	if (s->state == STREAM_FINISHING) {
		stream_close(s, s->finish_why);
		return;
	}
	stream_set_error(s,
		s->state == STREAM_CONNECTING	   ? "connect"
		: s->state == STREAM_HANDSHAKE	   ? "handshake"
		: s->pending && s->limits.write_ms ? "write"
						   : "idle",
		-ETIMEDOUT);
	stream_close(s, -ETIMEDOUT);
}

void stream_set_state(struct stream *s, enum stream_state state)
{
	s->state = state;
	s->state_since = uv_now(s->kick.loop);
	arm(s);
}

/* -- Life -- */

void stream_apply_limits(struct stream *s, const struct stream_limits *limits)
{
	s->limits = limits ? *limits : stream_default_limits;
	if (!s->limits.high_mark)
		s->limits.high_mark = stream_default_limits.high_mark;
	if (!s->limits.low_mark)
		s->limits.low_mark = s->limits.high_mark / 4;
	if (!s->limits.max_pending)
		s->limits.max_pending = stream_default_limits.max_pending;
}

static void stream_free(struct stream *s)
{
	tls_free(s->tls);
	tls_ctx_free(s->tls_ctx);
	buf_fini(&s->unread);
	buf_fini(&s->corked);
	free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct stream *s = handle->data;

	if (--s->open_handles)
		return;
	if (s->ops->on_close)
		s->ops->on_close(s, s->why);
	stream_free(s);
}

void stream_close(struct stream *s, int why)
{
	if (s->state == STREAM_CLOSED)
		return;
	s->why = why;
	s->state = STREAM_CLOSED;
	s->reading = false;
	uv_close(&s->u.handle, on_handle_closed);
	uv_close((uv_handle_t *)&s->timer, on_handle_closed);
	uv_close((uv_handle_t *)&s->kick, on_handle_closed);
}

void stream_reset(struct stream *s, int why)
{
	static const struct linger now = { .l_onoff = 1 };

	if (s->state != STREAM_CLOSED)
		setsockopt(stream_fd(s), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	stream_close(s, why);
}

void stream_finish(struct stream *s, int why)
{
	if (s->state == STREAM_CLOSED || s->state == STREAM_FINISHING)
		return;
	if (s->state != STREAM_OPEN) {
		stream_close(s, why);
		return;
	}
	s->finish_why = why;
	stream_shutdown(s);
	if (s->state == STREAM_CLOSED)
		return;
	stream_set_state(s, STREAM_FINISHING);
	if (s->raw_eof && !s->pending)
		stream_close(s, why);
	else if (!s->pumping)
		stream_update_reading(s);
}

int stream_detach_fd(struct stream *s, int *fd)
{
	int raw, copy;

	if (s->tls || s->state != STREAM_OPEN)
		return -EINVAL;
	if (s->pending || s->corked.len)
		return -EBUSY;
	raw = stream_fd(s);
	copy = fcntl(raw, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	stream_close(s, 0);
	*fd = copy;
	return 0;
}

/* -- Looking at it -- */

void stream_set_ops(struct stream *s, const struct stream_ops *ops, void *data)
{
	s->ops = ops;
	s->data = data;
	stream_kick(s);
}

void *stream_data(const struct stream *s)
{
	return s->data;
}

void stream_set_limits(struct stream *s, const struct stream_limits *limits)
{
	stream_apply_limits(s, limits);
	if (s->state != STREAM_CLOSED)
		arm(s);
}

const struct stream_limits *stream_limits(const struct stream *s)
{
	return &s->limits;
}

bool stream_is_open(const struct stream *s)
{
	return s->state == STREAM_OPEN;
}

const char *stream_error(const struct stream *s)
{
	return s->error;
}

bool stream_tls_info(const struct stream *s, struct tls_info *info)
{
	if (!s->tls)
		return false;
	tls_get_info(s->tls, info);
	return true;
}

uv_loop_t *stream_loop(const struct stream *s)
{
	return s->kick.loop;
}

int stream_fd(const struct stream *s)
{
	uv_os_fd_t fd;

	return s->state == STREAM_CLOSED || uv_fileno(&s->u.handle, &fd) ? -1 : fd;
}

int stream_peer(struct stream *s, struct sockaddr_storage *out)
{
	socklen_t len = sizeof(*out);
	int fd = stream_fd(s);

	if (fd < 0)
		return -ENOTCONN;
	if (s->peer.sin6_family) {
		memcpy(out, &s->peer, sizeof(s->peer));
		return 0;
	}
	if (getpeername(fd, (struct sockaddr *)out, &len))
		return -errno;
	/* It stays what it is. */
	if (out->ss_family == AF_INET || out->ss_family == AF_INET6)
		memcpy(&s->peer, out, len);
	return 0;
}

int stream_local(const struct stream *s, struct sockaddr_storage *out)
{
	socklen_t len = sizeof(*out);
	int fd = stream_fd(s);

	if (fd < 0)
		return -ENOTCONN;
	return getsockname(fd, (struct sockaddr *)out, &len) ? -errno : 0;
}

uint64_t stream_bytes_read(const struct stream *s)
{
	return s->bytes_read;
}

uint64_t stream_bytes_written(const struct stream *s)
{
	return s->bytes_written;
}
