/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reading half of a stream: what arrives goes through TLS to the owner, or waits while it is
 * paused. */
#include <stdlib.h>

#include "common/stream_internal.h"

#define READ_SIZE	65536
#define FINISH_DROP_MAX (4 * 1024 * 1024)

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
	stream_pump(s);
}

void stream_update_reading(struct stream *s)
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

	buf_init(&s->unread, STREAM_UNREAD_MAX);
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

void stream_pump(struct stream *s)
{
	if (s->pumping)
		return;
	s->pumping = true;
	while (step(s))
		;
	s->pumping = false;
	stream_update_reading(s);
}

static void on_kick(uv_idle_t *handle)
{
	uv_idle_stop(handle);
	stream_pump(handle->data);
}

void stream_kick(struct stream *s)
{
	if (s->state != STREAM_CLOSED)
		uv_idle_start(&s->kick, on_kick);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	if (!s->pumping)
		stream_update_reading(s);
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	s->last_read = uv_now(s->kick.loop);
	if (!s->pumping)
		stream_update_reading(s);
	stream_kick(s);
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
	buf_init(&joined, STREAM_UNREAD_MAX);
	err = buf_append(&joined, data, len);
	if (!err && s->unread.len)
		err = buf_append(&joined, s->unread.data, s->unread.len);
	if (err) {
		buf_fini(&joined);
		return err;
	}
	buf_fini(&s->unread);
	s->unread = joined;
	stream_kick(s);
	return 0;
}
