/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing half of a stream: what the kernel does not take at once waits in owned buffers. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/stream_internal.h"

/* What is gathered at most: a write beyond it goes out by itself. */
#define CORK_MAX 32768

struct stream_write_req {
	uv_write_t req;
	struct stream *stream;
	size_t len;
	void *owned; /* freed afterwards; NULL: the bytes follow */
	uint8_t bytes[];
};

static void drained(struct stream *s)
{
	if (s->state == STREAM_OPEN && s->want_drain && s->pending <= s->limits.low_mark) {
		s->want_drain = false;
		if (s->ops->on_drain)
			s->ops->on_drain(s);
	}
}

static void on_written(uv_write_t *req, int status)
{
	struct stream_write_req *w = req->data;
	struct stream *s = w->stream;

	s->pending -= w->len;
	s->last_write = uv_now(s->kick.loop);
	if (!status)
		s->bytes_written += w->len;
	free(w->owned);
	free(w);
	if (s->state == STREAM_CLOSED)
		return;
	if (status) {
		stream_set_error(s, "write", status);
		stream_close(s, status);
		return;
	}
	drained(s);
}

/* Queues what is left; `owned` NULL: copies it. */
static int enqueue(struct stream *s, const uint8_t *data, size_t len, void *owned)
{
	struct stream_write_req *w = malloc(sizeof(*w) + (owned ? 0 : len));
	uv_buf_t b;
	int err;

	if (!w) {
		free(owned);
		return -ENOMEM;
	}
	w->stream = s;
	w->len = len;
	w->owned = owned;
	w->req.data = w;
	if (!owned) {
		memcpy(w->bytes, data, len);
		data = w->bytes;
	}
	if (!s->pending)
		s->last_write = uv_now(s->kick.loop);
	b = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
	err = uv_write(&w->req, &s->u.stream, &b, 1, on_written);
	if (err) {
		free(owned);
		free(w);
		return err;
	}
	s->pending += len;
	if (s->pending > s->limits.high_mark)
		s->want_drain = true;
	return 0;
}

/* To the socket, past TLS. Closes the stream on error. Takes `owned` over. */
static int raw_write(struct stream *s, const uint8_t *data, size_t len, void *owned)
{
	int err;

	if (!s->pending) {
		uv_buf_t b = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
		int n = uv_try_write(&s->u.stream, &b, 1);

		if (n > 0) {
			s->last_write = uv_now(s->kick.loop);
			s->bytes_written += (size_t)n;
			data += n;
			len -= (size_t)n;
		}
		if (!len) {
			free(owned);
			return 0;
		}
	}
	if (s->pending + len > s->limits.max_pending) {
		free(owned);
		err = -ENOBUFS;
	} else {
		err = enqueue(s, data, len, owned);
	}
	if (err) {
		stream_set_error(s, "write", err);
		stream_close(s, err);
	}
	return err;
}

void stream_flush_tls(struct stream *s)
{
	size_t len;
	void *data = tls_take_output(s->tls, &len);

	if (data && s->state != STREAM_CLOSED)
		raw_write(s, data, len, data);
	else
		free(data);
}

static int check_writable(const struct stream *s)
{
	switch (s->state) {
	case STREAM_CONNECTING:
	case STREAM_ACCEPTED:
	case STREAM_HANDSHAKE:
		return -ENOTCONN;
	case STREAM_OPEN:
		return s->is_shut ? -EPIPE : 0;
	case STREAM_FINISHING:
	case STREAM_CLOSED:
		break;
	}
	return -EPIPE;
}

static int tls_write_all(struct stream *s, const void *data, size_t len)
{
	int err = tls_write(s->tls, data, len);

	if (err) {
		stream_set_error(s, "tls", err);
		stream_close(s, err);
		return err;
	}
	stream_flush_tls(s);
	return s->state == STREAM_CLOSED ? s->why : 0;
}

static int write_all(struct stream *s, const void *data, size_t len)
{
	return s->tls ? tls_write_all(s, data, len) : raw_write(s, data, len, NULL);
}

/* Sends what was gathered. */
static int flush_corked(struct stream *s)
{
	int err = s->corked.len ? write_all(s, s->corked.data, s->corked.len) : 0;

	buf_reset(&s->corked);
	return err;
}

/* Gathers it if it is small; 1 = is to be written now. */
static int gather(struct stream *s, const void *data, size_t len)
{
	int err = 0;

	if (!s->is_corked)
		return 1;
	if (s->corked.len + len > CORK_MAX)
		err = flush_corked(s);
	if (err || len >= CORK_MAX)
		return err ? err : 1;
	return buf_append(&s->corked, data, len);
}

int stream_write(struct stream *s, const void *data, size_t len)
{
	int err = check_writable(s);

	if (err || !len)
		return err;
	err = gather(s, data, len);
	return err == 1 ? write_all(s, data, len) : err;
}

int stream_write_owned(struct stream *s, void *data, size_t len)
{
	int err = check_writable(s);

	assert(data || !len);
	if (!err && len)
		err = gather(s, data, len);
	if (err == 1 && !s->tls)
		return raw_write(s, data, len, data);
	if (err == 1)
		err = tls_write_all(s, data, len);
	free(data);
	return err;
}

void stream_cork(struct stream *s)
{
	s->is_corked = true;
}

void stream_uncork(struct stream *s)
{
	if (!s->is_corked)
		return;
	s->is_corked = false;
	if (!check_writable(s))
		flush_corked(s);
	/* Idle connections keep no memory. */
	buf_fini(&s->corked);
}

size_t stream_pending(const struct stream *s)
{
	return s->pending;
}

bool stream_is_full(const struct stream *s)
{
	return s->want_drain;
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct stream *s = req->data;

	if (s->state == STREAM_CLOSED)
		return;
	if (status && status != UV_ENOTCONN) {
		stream_set_error(s, "shutdown", status);
		stream_close(s, status);
	} else if (s->state == STREAM_FINISHING && s->raw_eof) {
		stream_close(s, s->finish_why);
	}
}

void stream_send_fin(struct stream *s)
{
	if (s->shutdown_sent)
		return;
	s->shutdown_sent = true;
	s->shutdown_req.data = s;
	if (uv_shutdown(&s->shutdown_req, &s->u.stream, on_shutdown))
		stream_close(s, -EPIPE);
}

int stream_shutdown(struct stream *s)
{
	int err;

	if (s->is_shut)
		return 0;
	err = check_writable(s);
	if (err)
		return err;
	stream_uncork(s);
	if (s->state == STREAM_CLOSED)
		return s->why;
	s->is_shut = true;
	if (s->tls) {
		tls_close_notify(s->tls);
		stream_flush_tls(s);
	}
	if (s->state != STREAM_CLOSED)
		stream_send_fin(s);
	return 0;
}
