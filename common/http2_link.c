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

void http2_link_refuse(struct http2_link *l)
{
	nghttp2_session_terminate_session(l->session, NGHTTP2_ENHANCE_YOUR_CALM);
	l->is_refused = true;
	l->why = -EPROTO;
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
	err = http2_session_open(l);
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
