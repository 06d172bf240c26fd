/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/websocket.h"
#include "apid/websocket_key.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

enum { FULL_BYTES = 65536, PENDING_MAX = 1 << 20, BUDGET_BYTES = 65536, BUDGET_MS = 10000 };

struct websocket {
	struct stream *stream;
	struct wslay_event_context *wslay;
	const struct websocket_ops *ops;
	void *data;
	struct timer ping;
	uint64_t budget_since, budget; /* bytes taken since then */
	unsigned silent_pings;
	bool is_closing;
	/* Within on_read: what is not taken yet. */
	const uint8_t *in;
	size_t in_len;
};

/* ---- handshake ---- */

static void refuse_version(struct call *c)
{
	static const char text[] = "{\"type\":\"about:blank\",\"title\":\"Upgrade Required\","
				   "\"status\":426,\"detail\":\"a WebSocket of version 13\"}";
	struct http_head extra;

	http_head_init(&extra);
	http_head_add(&extra, "Upgrade", "websocket");
	http_head_add(&extra, "Sec-WebSocket-Version", "13");
	call_text_with(c, 426, "application/problem+json", text, sizeof(text) - 1, NULL, &extra);
	http_head_fini(&extra);
}

bool websocket_check(struct call *c)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *version = http_head_get(head, "sec-websocket-version");
	const char *key = http_head_get(head, "sec-websocket-key");
	char accept[32];

	if (strcmp(head->method, "GET") != 0 || !http_request_wants_upgrade(c->x.req) ||
		http_request_is_http2(c->x.req) ||
		!http_head_has_token(head, "upgrade", "websocket") || !version ||
		strcmp(version, "13") != 0)
		refuse_version(c);
	else if (!key ||
		 http_head_find(head, "sec-websocket-key",
			 http_head_find(head, "sec-websocket-key", 0) + 1) < head->n_headers ||
		 !websocket_accept(key, accept))
		call_problem(c, 400, "Sec-WebSocket-Key is not 16 bytes in base64");
	else if (http_head_get(head, "sec-websocket-protocol") &&
		 !http_head_has_token(head, "sec-websocket-protocol", WEBSOCKET_PROTOCOL))
		call_problem(c, 400, "the protocol spoken here is " WEBSOCKET_PROTOCOL);
	else
		return true;
	return false;
}

/* ---- frames ---- */

static void finish(struct websocket *w, int why)
{
	if (w->is_closing)
		return;
	w->is_closing = true;
	stream_finish(w->stream, why);
}

static ssize_t on_wslay_recv(
	wslay_event_context_ptr ctx, uint8_t *to, size_t len, int flags, void *arg)
{
	struct websocket *w = arg;
	size_t n = len < w->in_len ? len : w->in_len;

	(void)flags;
	if (!n) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(to, w->in, n);
	w->in += n;
	w->in_len -= n;
	return (ssize_t)n;
}

static ssize_t on_wslay_send(
	wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *arg)
{
	const struct websocket *w = arg;

	(void)flags;
	if (!stream_write(w->stream, data, len))
		return (ssize_t)len;
	wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

/* All that is queued, to the stream; hangs up behind a close frame. */
static void flush(struct websocket *w)
{
	int err;

	stream_cork(w->stream);
	err = wslay_event_send(w->wslay);
	stream_uncork(w->stream);
	if (err && !w->is_closing) {
		w->is_closing = true;
		stream_close(w->stream, -EIO);
	} else if (wslay_event_get_close_sent(w->wslay)) {
		finish(w, 0);
	}
}

static void on_wslay_message(
	wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct websocket *w = arg;

	if (w->is_closing || wslay_event_get_close_sent(ctx))
		return;
	if (m->opcode == WSLAY_TEXT_FRAME)
		w->ops->on_text(w, (const char *)m->msg, m->msg_length);
	else if (m->opcode == WSLAY_BINARY_FRAME)
		wslay_event_queue_close(ctx, WSLAY_CODE_UNSUPPORTED_DATA, NULL, 0);
}

void websocket_send(struct websocket *w, const char *text, size_t len)
{
	struct wslay_event_msg m = {
		.opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text, .msg_length = len
	};

	if (w->is_closing || wslay_event_queue_msg(w->wslay, &m))
		return;
	flush(w);
}

void websocket_close(struct websocket *w, enum websocket_code code, const char *reason)
{
	if (w->is_closing)
		return;
	if (wslay_event_queue_close(
		    w->wslay, (uint16_t)code, (const uint8_t *)reason, strlen(reason)))
		finish(w, 0);
	else
		flush(w);
}

bool websocket_is_full(const struct websocket *w)
{
	return stream_pending(w->stream) >= FULL_BYTES;
}

void *websocket_data(const struct websocket *w)
{
	return w->data;
}

/* ---- the stream ---- */

/* The library's own close frame for a head that cannot be read has no code. */
static void hang_up(struct websocket *w, enum websocket_code code)
{
	const uint8_t frame[4] = { 0x88, 2, (uint8_t)(code >> 8), (uint8_t)code };

	stream_write(w->stream, frame, sizeof(frame));
	finish(w, -EPROTO);
}

/* A client has little to say; more than that is not listened to. */
static bool take_budget(struct websocket *w, size_t len)
{
	uint64_t now = clock_mono_ms();

	if (now - w->budget_since >= BUDGET_MS) {
		w->budget_since = now;
		w->budget = 0;
	}
	w->budget += len;
	return w->budget <= BUDGET_BYTES;
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct websocket *w = stream_data(s);
	int err;

	if (w->is_closing)
		return;
	if (!take_budget(w, len)) {
		websocket_close(w, WEBSOCKET_POLICY, "too much is said");
		return;
	}
	w->silent_pings = 0;
	w->in = data;
	w->in_len = len;
	err = wslay_event_recv(w->wslay);
	if (w->is_closing)
		return;
	if (err)
		hang_up(w, err == WSLAY_ERR_NOMEM ? WEBSOCKET_INTERNAL : WEBSOCKET_PROTOCOL_ERROR);
	else
		flush(w);
}

static void on_ping(struct timer *t)
{
	static const struct wslay_event_msg ping = { .opcode = WSLAY_PING };
	struct websocket *w = t->data;

	if (w->is_closing)
		return;
	if (w->silent_pings++ >= 2) {
		w->is_closing = true;
		stream_close(w->stream, -ETIMEDOUT);
	} else if (!wslay_event_queue_msg(w->wslay, &ping)) {
		flush(w);
	}
}

static void on_ping_closed(struct timer *t)
{
	struct websocket *w = t->data;

	w->ops->on_close(w);
	wslay_event_context_free(w->wslay);
	free(w);
}

static void on_close(struct stream *s, int why)
{
	struct websocket *w = stream_data(s);

	(void)why;
	w->is_closing = true;
	timer_close(&w->ping, on_ping_closed);
}

/* ---- opening ---- */

static struct stream *agree(struct call *c)
{
	const struct http_head *asked = exchange_head(&c->x);
	struct http_head head;
	struct stream *s;
	char accept[32];

	http_head_init(&head);
	websocket_accept(http_head_get(asked, "sec-websocket-key"), accept);
	http_head_set_status(&head, 101);
	http_head_add(&head, "Upgrade", "websocket");
	http_head_add(&head, "Sec-WebSocket-Accept", accept);
	if (http_head_get(asked, "sec-websocket-protocol"))
		http_head_add(&head, "Sec-WebSocket-Protocol", WEBSOCKET_PROTOCOL);
	s = exchange_handover(&c->x, &head);
	http_head_fini(&head);
	return s;
}

static struct websocket *make(const struct websocket_ops *ops, void *data)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_wslay_recv,
		.send_callback = on_wslay_send,
		.on_msg_recv_callback = on_wslay_message,
	};
	struct websocket *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->ops = ops;
	w->data = data;
	if (wslay_event_context_server_init(&w->wslay, &callbacks, w)) {
		free(w);
		return NULL;
	}
	wslay_event_config_set_max_recv_msg_length(w->wslay, WEBSOCKET_MESSAGE_MAX);
	return w;
}

struct websocket *websocket_open(
	struct call *c, uint32_t ping_ms, const struct websocket_ops *ops, void *data)
{
	static const struct stream_ops stream_ops = { .on_read = on_read, .on_close = on_close };
	struct stream_limits limits = stream_default_limits;
	struct websocket *w = make(ops, data);

	if (!w) {
		call_failed(c, -ENOMEM, NULL);
		return NULL;
	}
	w->stream = agree(c);
	if (!w->stream) {
		call_failed(c, -ENOMEM, NULL);
		wslay_event_context_free(w->wslay);
		free(w);
		return NULL;
	}
	/* Silence is judged by pings. */
	limits.idle_ms = 0;
	limits.write_ms = 2 * ping_ms;
	limits.max_pending = PENDING_MAX;
	stream_set_limits(w->stream, &limits);
	stream_set_ops(w->stream, &stream_ops, w);
	timer_init(c->api->loop, &w->ping, on_ping, w);
	timer_start(&w->ping, ping_ms, ping_ms);
	stream_resume(w->stream);
	return w;
}
