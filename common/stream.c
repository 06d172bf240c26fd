/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/stream_internal.h"

#define READ_SIZE	65536
#define UNREAD_MAX	(1024 * 1024)
#define FINISH_MS	2000
#define FINISH_DROP_MAX (4 * 1024 * 1024)

const struct stream_limits stream_default_limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 60000,
	.write_ms = 30000,
	.high_mark = 256 * 1024,
	.low_mark = 64 * 1024,
	.max_pending = 8 * 1024 * 1024,
};

static void pump(struct stream *s);

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

/* -- Reading -- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *b)
{
	(void)handle;
	(void)suggested;
	b->base = malloc(READ_SIZE);
	b->len = b->base ? READ_SIZE : 0;
}

/* Takes `data` over. */
static void on_raw_data(struct stream *s, char *data, size_t len)
{
	int err = 0;

	s->last_read = uv_now(s->kick.loop);
	s->bytes_read += len;
	if (s->state == STREAM_FINISHING) {
		s->dropped += len;
		if (s->dropped > FINISH_DROP_MAX)
			stream_close(s, s->finish_why);
		free(data);
		return;
	}
	if (s->tls) {
		/* A peer that says little holds little. */
		char *fit = len < READ_SIZE / 4 ? realloc(data, len) : NULL;

		err = tls_feed(s->tls, fit ? fit : data, len);
		data = NULL;
	} else if (s->state != STREAM_OPEN || s->paused || s->unread.len) {
		err = buf_append(&s->unread, data, len);
	} else {
		s->pumping = true;
		s->ops->on_read(s, data, len);
		s->pumping = false;
	}
	free(data);
	if (err) {
		stream_set_error(s, "read", err);
		stream_close(s, err);
	}
}

static void on_raw_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *b)
{
	struct stream *s = handle->data;

	if (n > 0 && s->state != STREAM_CLOSED)
		on_raw_data(s, b->base, (size_t)n);
	else
		free(b->base);
	if (n == 0 || s->state == STREAM_CLOSED)
		return;
	if (n < 0 && n != UV_EOF) {
		stream_set_error(s, "read", (int)n);
		stream_close(s, (int)n);
		return;
	}
	if (n == UV_EOF) {
		s->raw_eof = true;
		if (s->state == STREAM_FINISHING) {
			if (!s->pending)
				stream_close(s, s->finish_why);
			return;
		}
		if (s->tls)
			tls_feed(s->tls, NULL, 0);
	}
	pump(s);
}

static void update_reading(struct stream *s)
{
	bool want = !s->raw_eof && (s->state == STREAM_HANDSHAKE || s->state == STREAM_FINISHING ||
					   (s->state == STREAM_OPEN && !s->paused));

	if (s->state == STREAM_CLOSED || want == s->reading)
		return;
	s->reading = want;
	if (want) {
		int err = uv_read_start(&s->u.stream, on_alloc, on_raw_read);

		if (err) {
			stream_set_error(s, "read", err);
			stream_close(s, err);
		}
	} else {
		uv_read_stop(&s->u.stream);
	}
}

static void deliver_eof(struct stream *s)
{
	s->eof_delivered = true;
	if (s->ops->on_eof)
		s->ops->on_eof(s);
	else
		stream_close(s, 0);
}

/* One step of the handshake; true when it is done. */
static bool step_handshake(struct stream *s)
{
	int err = tls_handshake(s->tls);

	stream_flush_tls(s);
	if (s->state == STREAM_CLOSED || err == -EAGAIN)
		return false;
	if (err) {
		stream_set_error(s, "tls", err);
		stream_close(s, err);
		return false;
	}
	s->last_read = uv_now(s->kick.loop);
	stream_set_state(s, STREAM_OPEN);
	if (s->ops->on_open)
		s->ops->on_open(s);
	return true;
}

/* Plaintext of as many records as are there, so that what is written for it goes out at once too.
 */
static int read_records(struct stream *s, uint8_t *out, size_t size)
{
	size_t have = 0;
	int n;

	do {
		n = tls_read(s->tls, out + have, size - have);
		have += n > 0 ? (size_t)n : 0;
	} while (n > 0 && have < size);
	/* An end or an error is told again by the next read. */
	return have ? (int)have : n;
}

static bool step_tls(struct stream *s)
{
	uint8_t plain[READ_SIZE];
	int n;

	if (s->eof_delivered)
		return false;
	n = read_records(s, plain, sizeof(plain));
	/* The engine may have had to answer something. */
	stream_flush_tls(s);
	if (s->state == STREAM_CLOSED || n == -EAGAIN)
		return false;
	if (n > 0) {
		s->ops->on_read(s, plain, (size_t)n);
		return true;
	}
	if (n == 0) {
		deliver_eof(s);
		return true;
	}
	stream_set_error(s, "tls", n);
	stream_close(s, n);
	return false;
}

static bool step_unread(struct stream *s)
{
	size_t len;
	uint8_t *data = buf_release(&s->unread, &len);

	buf_init(&s->unread, UNREAD_MAX);
	s->ops->on_read(s, data, len);
	free(data);
	return true;
}

/* One callback's worth of progress; false when there is nothing to do now. */
static bool step(struct stream *s)
{
	switch (s->state) {
	case STREAM_HANDSHAKE:
		return step_handshake(s);
	case STREAM_ACCEPTED:
		s->last_read = uv_now(s->kick.loop);
		stream_set_state(s, STREAM_OPEN);
		if (s->ops->on_open)
			s->ops->on_open(s);
		return true;
	case STREAM_OPEN:
		break;
	case STREAM_CONNECTING:
	case STREAM_FINISHING:
	case STREAM_CLOSED:
		return false;
	}
	if (s->paused)
		return false;
	if (s->unread.len)
		return step_unread(s);
	if (s->tls)
		return step_tls(s);
	if (s->raw_eof && !s->eof_delivered) {
		deliver_eof(s);
		return true;
	}
	return false;
}

static void pump(struct stream *s)
{
	if (s->pumping)
		return;
	s->pumping = true;
	while (step(s))
		;
	s->pumping = false;
	update_reading(s);
}

static void on_kick(uv_idle_t *handle)
{
	uv_idle_stop(handle);
	pump(handle->data);
}

static void kick(struct stream *s)
{
	if (s->state != STREAM_CLOSED)
		uv_idle_start(&s->kick, on_kick);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	if (!s->pumping)
		update_reading(s);
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	s->last_read = uv_now(s->kick.loop);
	if (!s->pumping)
		update_reading(s);
	kick(s);
}

bool stream_is_paused(const struct stream *s)
{
	return s->paused;
}

int stream_unread(struct stream *s, const void *data, size_t len)
{
	struct buf joined;
	int err;

	if (!len)
		return 0;
	buf_init(&joined, UNREAD_MAX);
	err = buf_append(&joined, data, len);
	if (!err && s->unread.len)
		err = buf_append(&joined, s->unread.data, s->unread.len);
	if (err) {
		buf_fini(&joined);
		return err;
	}
	buf_fini(&s->unread);
	s->unread = joined;
	kick(s);
	return 0;
}

/* -- Life -- */

static void apply_limits(struct stream *s, const struct stream_limits *limits)
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
		update_reading(s);
}

static struct stream *stream_alloc(uv_loop_t *loop, bool is_pipe,
	const struct stream_limits *limits, const struct stream_ops *ops, void *data)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->is_pipe = is_pipe;
	s->ops = ops;
	s->data = data;
	apply_limits(s, limits);
	buf_init(&s->unread, UNREAD_MAX);
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
	pump(s);
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
	kick(s);
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
	buf_init(&s->unread, UNREAD_MAX);
	s->paused = false;
	stream_set_state(s, STREAM_HANDSHAKE);
	kick(s);
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
	kick(s);
}

void *stream_data(const struct stream *s)
{
	return s->data;
}

void stream_set_limits(struct stream *s, const struct stream_limits *limits)
{
	apply_limits(s, limits);
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
