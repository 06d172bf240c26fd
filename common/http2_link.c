/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection: its life, frames in and out. */
#include "common/http2_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/http2_stream.h"
#include "common/http_internal.h"

/* Frames that carry nothing, and resets. */
#define CONTROL_BURST 1000
#define CONTROL_PER_S 100
#define RESET_BURST   400
#define RESET_PER_S   50
/* A window that opens by less is such a frame. */
#define SMALL_UPDATE  256
#define OUTBOUND_ACKS 200
/* Frames that wait for a socket that takes none. */
#define OUTBOUND_MAX 1000
#define TICK_MS	     1000
/* Gathered before it is written. */
#define GATHER (32 * 1024)
/* Waiting for the socket: little, so that what is urgent need not wait long. */
#define SOCKET_HIGH (64 * 1024)

/* Uploads, and downloads from servers that are farther away. */
static const struct http2_windows server_windows = { 256 << 10, 1 << 20, 4 << 20 };
static const struct http2_windows client_windows = { 1 << 20, 4 << 20, 16 << 20 };

/* -- Budgets -- */

void http2_budget_init(struct http2_budget *b, uint32_t burst, uint32_t per_s, uint64_t now)
{
	*b = (struct http2_budget){ burst, per_s, burst, now };
}

bool http2_budget_take(struct http2_budget *b, uint64_t now)
{
	uint64_t more = (now - b->since) * b->per_s / 1000;

	if (more) {
		b->since = now;
		b->left = more > b->burst - b->left ? b->burst : b->left + (uint32_t)more;
	}
	if (!b->left)
		return false;
	b->left--;
	return true;
}

uint64_t http2_link_now(const struct http2_link *l)
{
	return uv_now(l->tick.loop);
}

/* -- Ends -- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct http2_link *l = handle->data;

	if (--l->handles)
		return;
	nghttp2_session_del(l->session);
	l->session = NULL;
	l->ops->on_close(l, l->why);
}

static void end_streams(struct http2_link *l)
{
	list_foreach_safe (&l->streams, it) {
		struct http2_stream *s = container_of(it, struct http2_stream, node);
		http2_stream_leave(s, NGHTTP2_CANCEL);
	}
}

static void on_stream_close(struct stream *stream, int why)
{
	struct http2_link *l = stream_data(stream);

	if (!l->is_closing)
		l->why = why ? why : -ECONNRESET;
	l->is_closing = true;
	l->stream = NULL;
	end_streams(l);
	uv_close((uv_handle_t *)&l->kick, on_handle_closed);
	uv_close((uv_handle_t *)&l->tick, on_handle_closed);
}

void http2_link_close(struct http2_link *l, int why)
{
	if (l->is_closing)
		return;
	l->is_closing = true;
	l->why = why;
	uv_idle_stop(&l->kick);
	uv_timer_stop(&l->tick);
	/* Streams go when no call of nghttp2's is under way any more. */
	stream_close(l->stream, why);
}

/* -- Out -- */

/* What there is for the socket, as far as it takes it. */
static int write_frames(struct http2_link *l)
{
	struct buf b;
	const uint8_t *data;
	ssize_t n = 0;
	int err = 0;

	buf_init(&b, 0);
	while (!err && !l->is_closing && !stream_is_full(l->stream)) {
		n = nghttp2_session_mem_send(l->session, &data);
		if (n > 0)
			err = buf_append(&b, data, (size_t)n);
		if (!err && b.len && (n <= 0 || b.len >= GATHER)) {
			err = stream_write(l->stream, b.data, b.len);
			buf_reset(&b);
		}
		if (n <= 0)
			break;
	}
	buf_fini(&b);
	return n < 0 ? -EPROTO : err;
}

static void tell_drained(struct http2_link *l)
{
	list_foreach_safe (&l->streams, it) {
		struct http2_stream *s = container_of(it, struct http2_stream, node);

		if (s->wants_drain) {
			s->wants_drain = false;
			l->ops->on_drain(s);
		}
		if (l->is_closing)
			return;
	}
}

static void finish(struct http2_link *l)
{
	l->is_closing = true;
	uv_timer_stop(&l->tick);
	uv_idle_stop(&l->kick);
	end_streams(l);
	stream_finish(l->stream, l->why);
}

static void flush(struct http2_link *l)
{
	int err;

	if (l->is_closing || !stream_is_open(l->stream))
		return;
	err = write_frames(l);
	if (l->is_closing)
		return;
	if (err) {
		http2_link_close(l, err);
		return;
	}
	tell_drained(l);
	/* Both said farewell, or the peer's patience with us is no longer asked for. */
	if (!l->is_closing && (l->is_refused || (!nghttp2_session_want_read(l->session) &&
							!nghttp2_session_want_write(l->session))))
		finish(l);
}

/* What the owner is to know, and what is to be sent. */
static void turn(struct http2_link *l)
{
	uv_idle_stop(&l->kick);
	list_foreach_safe (&l->streams, it) {
		struct http2_stream *s = container_of(it, struct http2_stream, node);

		if (l->is_closing)
			return;
		if (s->wants_telling)
			http2_stream_tell(s);
	}
	if (l->ops->on_told && !l->is_closing)
		l->ops->on_told(l);
	flush(l);
}

static void on_kick(uv_idle_t *idle)
{
	turn(idle->data);
}

void http2_link_kick(struct http2_link *l)
{
	if (!l->is_closing)
		uv_idle_start(&l->kick, on_kick);
}

/* -- Time -- */

static void on_tick(uv_timer_t *timer);

/* With streams, a second; without, until it has idled for long enough. */
void http2_link_arm(struct http2_link *l)
{
	uint64_t ms = l->n_streams || l->head_since ? TICK_MS : l->idle_ms;

	if (l->is_closing || !ms)
		uv_timer_stop(&l->tick);
	else
		uv_timer_start(&l->tick, on_tick, ms, 0);
}

static void on_tick(uv_timer_t *timer)
{
	struct http2_link *l = timer->data;

	if (l->head_since && http2_link_now(l) - l->head_since >= l->limits.header_ms) {
		http2_link_close(l, -ETIMEDOUT);
		return;
	}
	if (!l->n_streams && !l->head_since) {
		nghttp2_session_terminate_session(l->session, NGHTTP2_NO_ERROR);
		flush(l);
		return;
	}
	l->ops->on_tick(l);
	http2_link_arm(l);
	http2_link_kick(l);
}

/* -- In: what nghttp2 tells -- */

void http2_link_refuse(struct http2_link *l)
{
	nghttp2_session_terminate_session(l->session, NGHTTP2_ENHANCE_YOUR_CALM);
	l->is_refused = true;
	l->why = -EPROTO;
}

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

static int on_stream_gone(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct http2_link *l = arg;
	struct http2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	if (l->head_id == id)
		l->head_since = 0;
	if (!s)
		return 0;
	if (!l->is_server && code == NGHTTP2_NO_ERROR && s->is_ended_in && !s->end_told &&
		!s->is_dropped)
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

/* -- The stream beneath -- */

static void on_stream_open(struct stream *stream)
{
	(void)stream; /* it is when it comes here */
}

static void on_stream_read(struct stream *stream, const void *data, size_t len)
{
	struct http2_link *l = stream_data(stream);
	ssize_t n;

	if (l->is_closing)
		return;
	n = nghttp2_session_mem_recv(l->session, data, len);
	if (l->is_closing)
		return;
	if (n < 0 || nghttp2_session_get_outbound_queue_size(l->session) > OUTBOUND_MAX)
		http2_link_close(l, n == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO);
	else
		turn(l);
}

static void on_stream_drain(struct stream *stream)
{
	flush(stream_data(stream));
}

static void on_stream_eof(struct stream *stream)
{
	struct http2_link *l = stream_data(stream);

	http2_link_close(l, l->n_streams ? -ECONNRESET : 0);
}

/* -- Life -- */

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

static const struct stream_ops stream_ops = {
	.on_open = on_stream_open,
	.on_read = on_stream_read,
	.on_eof = on_stream_eof,
	.on_drain = on_stream_drain,
	.on_close = on_stream_close,
};

int http2_link_open(struct http2_link *l, struct stream *s, bool is_server,
	const struct http2_link_ops *ops, const struct http_limits *limits)
{
	static const struct stream_ops silent;
	struct stream_limits sl = *stream_limits(s);
	uint64_t now;
	int err;

	memset(l, 0, sizeof(*l));
	l->is_server = is_server;
	l->windows = is_server ? &server_windows : &client_windows;
	l->ops = ops;
	l->limits = http_limits_filled(limits);
	l->idle_ms = l->limits.idle_ms;
	l->stall_ms = sl.write_ms;
	l->stream = s;
	list_init(&l->streams);
	err = make_session(l);
	if (!err)
		err = submit_settings(l);
	if (err) {
		nghttp2_session_del(l->session);
		stream_set_ops(s, &silent, NULL);
		stream_close(s, err);
		return err;
	}
	uv_idle_init(stream_loop(s), &l->kick);
	uv_timer_init(stream_loop(s), &l->tick);
	l->kick.data = l->tick.data = l;
	l->handles = 2;
	now = http2_link_now(l);
	http2_budget_init(&l->control, CONTROL_BURST, CONTROL_PER_S, now);
	http2_budget_init(&l->resets, RESET_BURST, RESET_PER_S, now);
	/* Idling is judged here. */
	sl.idle_ms = 0;
	sl.high_mark = SOCKET_HIGH;
	sl.low_mark = SOCKET_HIGH / 4;
	stream_set_limits(s, &sl);
	stream_set_ops(s, &stream_ops, l);
	http2_link_arm(l);
	http2_link_kick(l);
	stream_resume(s);
	return 0;
}

void http2_link_drain(struct http2_link *l)
{
	if (l->is_closing)
		return;
	nghttp2_submit_goaway(l->session, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(l->session), NGHTTP2_NO_ERROR, NULL, 0);
	http2_link_kick(l);
}
