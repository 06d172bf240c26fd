/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nghttp2's session of a connection: how it is set up, and what it tells. */
#include <errno.h>

#include "common/http2_stream.h"

/* A window that opens by less is such a frame. */
#define SMALL_UPDATE  256
#define OUTBOUND_ACKS 200

/* 0: goes on, or ends when this piece was read. */
static int take(struct http2_link *l, struct http2_budget *b)
{
	if (http2_budget_take(b, http2_link_now(l)))
		return 0;
	http2_link_refuse(l);
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http2_link *l = arg;
	struct http2_stream *s;

	if (l->is_closing)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	l->head_since = http2_link_now(l);
	l->head_id = frame->hd.stream_id;
	if (!l->n_streams)
		http2_link_arm(l);
	if (!l->is_server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = l->ops->on_begin(l, frame->hd.stream_id);
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct http2_link *l = arg;
	struct http2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags;
	if (l->is_closing)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (!s)
		return 0;
	return http2_stream_add_field(
		s, (const char *)name, name_len, (const char *)value, value_len);
}

/* RFC 9113 8.2.1: malformed, not to be overlooked. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
	const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
	void *arg)
{
	(void)session, (void)frame, (void)name, (void)name_len;
	(void)value, (void)value_len, (void)flags, (void)arg;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct http2_link *l = arg;

	(void)session;
	if (l->is_closing)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	switch (hd->type) {
	case NGHTTP2_RST_STREAM:
		return take(l, &l->resets);
	case NGHTTP2_HEADERS:
	case NGHTTP2_WINDOW_UPDATE: /* by what it says */
		return 0;
	case NGHTTP2_DATA:
		return hd->length > SMALL_UPDATE || hd->flags & NGHTTP2_FLAG_END_STREAM
			       ? 0
			       : take(l, &l->control);
	default:
		return take(l, &l->control);
	}
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http2_link *l = arg;
	struct http2_stream *s = frame->hd.stream_id ? nghttp2_session_get_stream_user_data(
							       session, frame->hd.stream_id)
						     : NULL;

	if (l->is_closing)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (frame->hd.type == NGHTTP2_WINDOW_UPDATE &&
		frame->window_update.window_size_increment < SMALL_UPDATE)
		return take(l, &l->control);
	if (frame->hd.type == NGHTTP2_HEADERS) {
		l->head_since = 0;
		if (s)
			http2_stream_take_head(s, frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
	}
	if (s && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
		frame->hd.flags & NGHTTP2_FLAG_END_STREAM && !l->is_closing)
		http2_stream_take_end(s);
	return l->is_closing ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
	size_t len, void *arg)
{
	struct http2_link *l = arg;
	struct http2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	(void)flags;
	if (l->is_closing)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (s)
		return http2_stream_take_data(s, data, len);
	return nghttp2_session_consume(session, id, len);
}

/* It is over for the peer, but not for its owner: a response's rest is still to be told; a response
 * whose head was all of it is still to be ended. */
static bool is_unfinished(const struct http2_stream *s)
{
	return s->link->is_server ? s->is_ended_out && !s->is_ending
				  : s->is_ended_in && !s->end_told;
}

static int on_stream_gone(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct http2_link *l = arg;
	struct http2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	if (l->head_id == id)
		l->head_since = 0;
	if (!s)
		return 0;
	if (code == NGHTTP2_NO_ERROR && !s->is_dropped && is_unfinished(s))
		s->is_over = true;
	else
		http2_stream_leave(s, code);
	return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http2_stream *s;

	(void)arg;
	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
		!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (!s)
		return 0;
	s->is_ended_out = true;
	/* Answered before it was asked to the end: no more of it is wanted (RFC 9113 8.1). */
	if (s->link->is_server && !s->is_ended_in)
		nghttp2_submit_rst_stream(
			session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static int make_session(struct http2_link *l)
{
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *opt = NULL;
	int err = nghttp2_session_callbacks_new(&cb);

	if (!err)
		err = nghttp2_option_new(&opt);
	if (!err) {
		nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
		nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
		nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
		nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
		nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_gone);
		nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
		nghttp2_option_set_no_auto_window_update(opt, 1);
		nghttp2_option_set_no_closed_streams(opt, 1);
		nghttp2_option_set_max_outbound_ack(opt, OUTBOUND_ACKS);
		nghttp2_option_set_peer_max_concurrent_streams(opt, HTTP2_STREAMS_MAX);
		nghttp2_option_set_builtin_recv_extension_type(opt, NGHTTP2_PRIORITY_UPDATE);
		err = l->is_server ? nghttp2_session_server_new2(&l->session, cb, l, opt)
				   : nghttp2_session_client_new2(&l->session, cb, l, opt);
	}
	nghttp2_option_del(opt);
	nghttp2_session_callbacks_del(cb);
	return err ? -ENOMEM : 0;
}

static int submit_settings(struct http2_link *l)
{
	const nghttp2_settings_entry server[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->windows->stream },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->limits.max_head_bytes },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
	};
	const nghttp2_settings_entry client[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->windows->stream },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->limits.max_head_bytes },
	};
	int err = nghttp2_submit_settings(l->session, NGHTTP2_FLAG_NONE,
		l->is_server ? server : client,
		l->is_server ? sizeof(server) / sizeof(*server) : sizeof(client) / sizeof(*client));

	if (!err)
		err = nghttp2_session_set_local_window_size(
			l->session, NGHTTP2_FLAG_NONE, 0, (int32_t)l->windows->conn);
	return err ? -ENOMEM : 0;
}

int http2_session_open(struct http2_link *l)
{
	int err = make_session(l);

	return err ? err : submit_settings(l);
}
