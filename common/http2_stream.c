/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One stream: its bytes in and out, each with back-pressure. */
#include "common/http2_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/http2_head.h"

/* Fields beyond the limit are dropped, but read: up to so many times the limit. */
#define HEAD_BOMB 4

void http2_stream_init(struct http2_stream *s, struct http2_link *l, int32_t id)
{
	memset(s, 0, sizeof(*s));
	s->link = l;
	s->id = id;
	s->sent_at = s->rate_since = http2_link_now(l);
	http_head_init(&s->head);
	http_head_init(&s->trailers);
	buf_init(&s->in, 0);
	buf_init(&s->out, 0);
	list_add(&l->streams, &s->node);
	l->n_streams++;
	if (l->n_streams == 1)
		http2_link_arm(l);
}

/* Gives back what the connection's window is owed, when few bytes are held. */
static void settle(struct http2_link *l)
{
	size_t owed = l->owed;

	if (!owed || l->held > l->windows->held_max || l->is_closing)
		return;
	l->owed = 0;
	nghttp2_session_consume_connection(l->session, owed);
	http2_link_kick(l);
}

void http2_stream_fini(struct http2_stream *s)
{
	http_head_fini(&s->head);
	http_head_fini(&s->trailers);
	if (s->out_trailers)
		http_head_fini(s->out_trailers);
	free(s->out_trailers);
	buf_fini(&s->in);
	buf_fini(&s->out);
}

void http2_stream_leave(struct http2_stream *s, uint32_t code)
{
	struct http2_link *l = s->link;

	if (s->id && !s->is_over)
		nghttp2_session_set_stream_user_data(l->session, s->id, NULL);
	list_remove(&s->node);
	l->n_streams--;
	l->held -= s->in.len;
	buf_fini(&s->in);
	settle(l);
	if (!l->n_streams)
		http2_link_arm(l);
	l->ops->on_gone(s, code);
}

/* -- In -- */

int http2_stream_add_field(struct http2_stream *s, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	struct http2_link *l = s->link;
	struct http2_head_in in = { s->has_head ? &s->trailers : &s->head, &l->limits,
		s->has_head };
	int err;

	s->head_bytes += name_len + value_len;
	if (s->head_bytes > HEAD_BOMB * l->limits.max_head_bytes) {
		http2_link_refuse(l);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (s->head_error)
		return 0;
	err = http2_head_add(&in, name, name_len, value, value_len);
	if (err < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	s->head_error = err;
	/* Trailers have nobody to be refused to. */
	return err && s->has_head ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

void http2_stream_take_head(struct http2_stream *s, bool ends)
{
	bool is_interim;

	if (s->has_head)
		return; /* trailers: told with the end */
	is_interim = !s->link->is_server && s->head.status < 200;
	s->has_head = !is_interim;
	s->is_ended_in = ends;
	s->rate_since = http2_link_now(s->link);
	s->link->ops->on_head(s);
	if (!is_interim)
		return;
	http_head_fini(&s->head);
	s->head_bytes = 0;
}

/* The owner has taken it. */
static void consume(struct http2_stream *s, size_t len)
{
	if (!s->is_ended_in)
		nghttp2_session_consume_stream(s->link->session, s->id, len);
}

int http2_stream_take_data(struct http2_stream *s, const void *data, size_t len)
{
	struct http2_link *l = s->link;

	s->received += len;
	if (s->is_paused || s->in.len) {
		if (buf_append(&s->in, data, len))
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		l->held += len;
	} else {
		l->ops->on_data(s, data, len);
		consume(s, len);
	}
	l->owed += len;
	settle(l);
	return l->is_closing ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void tell_end(struct http2_stream *s)
{
	if (!s->is_ended_in || s->end_told || s->in.len)
		return;
	s->end_told = true;
	s->link->ops->on_end(s);
}

void http2_stream_take_end(struct http2_stream *s)
{
	s->is_ended_in = true;
	tell_end(s);
}

void http2_stream_tell(struct http2_stream *s)
{
	struct http2_link *l = s->link;
	size_t len;
	uint8_t *data;

	s->wants_telling = false;
	if (s->is_over && s->is_dropped) {
		http2_stream_leave(s, NGHTTP2_CANCEL);
		return;
	}
	if (s->is_paused)
		return;
	data = buf_release(&s->in, &len);
	l->held -= len;
	if (len) {
		l->ops->on_data(s, data, len);
		if (!l->is_closing)
			consume(s, len);
	}
	free(data);
	if (l->is_closing)
		return;
	settle(l);
	tell_end(s);
	if (s->is_over && s->end_told && !l->is_closing)
		http2_stream_leave(s, NGHTTP2_NO_ERROR);
}

void http2_stream_pause(struct http2_stream *s)
{
	s->is_paused = true;
}

void http2_stream_resume(struct http2_stream *s)
{
	s->is_paused = false;
	s->rate_since = http2_link_now(s->link);
	s->rate_mark = s->received;
	if (!s->in.len)
		return;
	s->wants_telling = true;
	http2_link_kick(s->link);
}

/* -- Out -- */

static ssize_t submit_trailers(struct http2_stream *s)
{
	struct http2_fields f;
	int err = http2_fields_make(&f, s->out_trailers, HTTP2_TRAILER, UINT64_MAX);

	if (!err && f.n)
		err = nghttp2_submit_trailer(s->link->session, s->id, f.v, f.n);
	http2_fields_fini(&f);
	return err ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static ssize_t on_source(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http2_stream *s = source->ptr;
	size_t left = s->out.len - s->out_at, len = left < room ? left : room;

	(void)session, (void)id, (void)arg;
	if (!len && !s->is_ending)
		return NGHTTP2_ERR_DEFERRED;
	if (len)
		memcpy(to, s->out.data + s->out_at, len);
	s->out_at += len;
	left -= len;
	s->sent_at = http2_link_now(s->link);
	if (!left) {
		buf_fini(&s->out);
		buf_init(&s->out, 0);
		s->out_at = 0;
	}
	if (s->is_full && left <= HTTP2_OUT_LOW) {
		s->is_full = false;
		s->wants_drain = true;
	}
	if (!left && s->is_ending) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (s->out_trailers && s->out_trailers->n_headers) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			if (submit_trailers(s))
				return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
	}
	return (ssize_t)len;
}

void http2_stream_source(struct http2_stream *s, nghttp2_data_provider *out)
{
	out->source.ptr = s;
	out->read_callback = on_source;
}

static void wake(struct http2_stream *s)
{
	nghttp2_session_resume_data(s->link->session, s->id);
	http2_link_kick(s->link);
}

int http2_stream_write(struct http2_stream *s, const void *data, size_t len)
{
	int err;

	if (s->is_ending || s->link->is_closing)
		return -EPIPE;
	if (s->out_at == s->out.len || s->out_at > HTTP2_OUT_HIGH) {
		buf_consume(&s->out, s->out_at);
		s->out_at = 0;
	}
	if (s->out.len == s->out_at)
		s->sent_at = http2_link_now(s->link);
	err = buf_append(&s->out, data, len);
	if (err)
		return err;
	if (s->out.len - s->out_at > HTTP2_OUT_HIGH)
		s->is_full = true;
	wake(s);
	return 0;
}

int http2_stream_end(struct http2_stream *s, const struct http_head *trailers)
{
	if (s->is_ending || s->link->is_closing)
		return -EPIPE;
	if (trailers && trailers->n_headers) {
		s->out_trailers = malloc(sizeof(*s->out_trailers));
		if (!s->out_trailers || http_head_copy(s->out_trailers, trailers)) {
			free(s->out_trailers);
			s->out_trailers = NULL;
			return -ENOMEM;
		}
	}
	s->is_ending = true;
	wake(s);
	return 0;
}

void http2_stream_reset(struct http2_stream *s, uint32_t code)
{
	if (s->link->is_closing)
		return;
	s->is_dropped = true;
	if (s->is_over)
		s->wants_telling = true;
	else
		nghttp2_submit_rst_stream(s->link->session, NGHTTP2_FLAG_NONE, s->id, code);
	http2_link_kick(s->link);
}

bool http2_stream_is_stalled(const struct http2_stream *s)
{
	nghttp2_session *session = s->link->session;

	if (s->out.len == s->out_at || !s->link->stall_ms ||
		http2_link_now(s->link) - s->sent_at < s->link->stall_ms)
		return false;
	return nghttp2_session_get_stream_remote_window_size(session, s->id) <= 0 ||
	       nghttp2_session_get_remote_window_size(session) <= 0;
}
