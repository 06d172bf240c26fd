/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http2_server.h"
#include "common/http_server_internal.h"

#define RATE_WINDOW_MS 10000
/* After that a client is told to go on, whatever the owner heard: those behind may not know how. */
#define CONTINUE_MS 1000

static void on_timer(uv_timer_t *timer);

static void set_wait(struct http1_conn *c, enum conn_wait wait)
{
	const struct http_limits *l = &c->parser.limits;
	uint64_t ms = 0;

	c->wait = wait;
	switch (wait) {
	case WAIT_NOTHING:
		break;
	case WAIT_IDLE:
		ms = l->idle_ms;
		break;
	case WAIT_HEAD:
		ms = l->header_ms;
		break;
	case WAIT_CONTINUE:
		ms = CONTINUE_MS;
		break;
	case WAIT_BODY:
		ms = l->body_min_rate ? RATE_WINDOW_MS : 0;
		c->rate_mark = c->parser.received;
		break;
	}
	if (c->base.is_closing || c->base.is_handed || !ms)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_timer, ms, 0);
}

/* -- Ends -- */

void http1_conn_on_timer_closed(uv_handle_t *handle)
{
	struct http1_conn *c = handle->data;

	if (!c->base.is_handed && c->base.ops->on_close)
		c->base.ops->on_close(&c->base, c->base.why);
	http_parser_fini(&c->parser);
	free(c);
}

static void on_stream_close(struct stream *s, int why)
{
	struct http1_conn *c = stream_data(s);

	c->base.is_closing = true;
	http_request_finish(&c->req, why ? why : -ECONNRESET);
	c->base.stream = NULL;
	c->base.why = why;
	uv_close((uv_handle_t *)&c->timer, http1_conn_on_timer_closed);
}

void http1_conn_close(struct http1_conn *c, int why)
{
	if (c->base.is_closing || c->base.is_handed)
		return;
	c->base.is_closing = true;
	set_wait(c, WAIT_NOTHING);
	http_request_finish(&c->req, why ? why : -ECANCELED);
	stream_close(c->base.stream, why);
}

void http1_conn_finish(struct http1_conn *c, int why)
{
	if (c->base.is_closing)
		return;
	c->base.is_closing = true;
	set_wait(c, WAIT_NOTHING);
	stream_finish(c->base.stream, why);
}

static void write_refusal(struct http1_conn *c, int status)
{
	struct http_framing_lines f = {
		.framing = HTTP_BODY_LENGTH,
		.say_length = true,
		.connection = "close",
	};
	struct http_head h;
	struct buf b;
	const char *text = http_status_text(status);

	http_head_init(&h);
	buf_init(&b, 0);
	f.len = strlen(text) + 1;
	if (!http_head_set_status(&h, status) &&
		!http_head_add(&h, "Content-Type", "text/plain; charset=utf-8") &&
		!http_encode_head(&b, &h, &f) && !buf_printf(&b, "%s\n", text))
		stream_write(c->base.stream, b.data, b.len);
	buf_fini(&b);
	http_head_fini(&h);
}

/* A request that cannot be served, or whose body went wrong. */
static void refuse(struct http1_conn *c, int status, const char *reason, int why)
{
	bool answer = !c->req.is_live || !c->req.head_sent;

	if (c->base.is_closing)
		return;
	if (!c->req.is_live && c->base.ops->on_refused)
		c->base.ops->on_refused(&c->base, status, reason);
	http_request_finish(&c->req, why);
	if (c->base.is_closing)
		return;
	if (answer) {
		write_refusal(c, status);
		http1_conn_finish(c, why);
	} else {
		http1_conn_close(c, why);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct http1_conn *c = timer->data;
	uint64_t got = c->parser.received - c->rate_mark;

	switch (c->wait) {
	case WAIT_NOTHING:
		return;
	case WAIT_IDLE:
		http1_conn_close(c, 0);
		return;
	case WAIT_HEAD:
		if (http_parser_is_partial(&c->parser))
			refuse(c, 408, "head too slow", -ETIMEDOUT);
		else
			http1_conn_close(c, -ETIMEDOUT);
		return;
	case WAIT_CONTINUE:
		http_request_continue(&c->req);
		return;
	case WAIT_BODY:
		if (got * 1000 < (uint64_t)c->parser.limits.body_min_rate * RATE_WINDOW_MS)
			refuse(c, 408, "body too slow", -ETIMEDOUT);
		else
			set_wait(c, WAIT_BODY);
		return;
	}
}

/* -- Requests -- */

static void begin_request(struct http1_conn *c)
{
	struct http_request *req = &c->req;

	memset(req, 0, sizeof(*req));
	req->conn = &c->base;
	req->head = &c->parser.head;
	req->trailers = &c->parser.trailers;
	req->length = c->parser.length;
	req->is_live = true;
	req->body_done = c->parser.length == 0;
	c->close_after = !c->parser.keep_alive;
	set_wait(c, req->body_done ? WAIT_NOTHING : WAIT_BODY);
	c->base.ops->on_request(req);
	if (req->is_live && !req->head_sent && !req->is_paused && !req->body_done &&
		!req->continue_held)
		http_request_continue(req);
}

void http1_conn_next(struct http1_conn *c)
{
	http_parser_reset(&c->parser);
	set_wait(c, WAIT_IDLE);
	if (c->eof)
		http1_conn_finish(c, 0);
	else if (!c->is_running)
		stream_resume(c->base.stream);
}

/* Nothing may be parsed now. */
static bool is_blocked(const struct http1_conn *c)
{
	enum http_phase phase = c->parser.phase;

	/* The end is told also in a pause: no byte may come that could tell it later. */
	return c->base.is_closing || c->base.is_handed ||
	       (c->req.is_live &&
		       (phase == HTTP_PHASE_OVER || (c->req.is_paused && phase != HTTP_PHASE_END)));
}

static void on_event(struct http1_conn *c, enum http_event ev)
{
	struct http_parser *p = &c->parser;

	switch (ev) {
	case HTTP_EVENT_MORE:
		break;
	case HTTP_EVENT_HEAD:
		begin_request(c);
		break;
	case HTTP_EVENT_BODY:
		/* It did not wait. */
		c->req.continue_sent = true;
		if (c->wait == WAIT_CONTINUE)
			set_wait(c, WAIT_BODY);
		if (c->req.is_live && c->base.ops->on_body)
			c->base.ops->on_body(&c->req, p->body, p->body_len);
		break;
	case HTTP_EVENT_END:
		c->req.body_done = true;
		set_wait(c, WAIT_NOTHING);
		if (c->base.ops->on_body_end)
			c->base.ops->on_body_end(&c->req);
		break;
	case HTTP_EVENT_ERROR:
		refuse(c, p->status, p->reason, p->status == 413 ? -EMSGSIZE : -EBADMSG);
		break;
	}
}

static void run(struct http1_conn *c, const char *data, size_t len)
{
	enum http_event ev = HTTP_EVENT_END;
	size_t used;

	c->is_running = true;
	c->rest = data;
	c->rest_len = len;
	while (!is_blocked(c) && (c->rest_len || ev != HTTP_EVENT_MORE)) {
		ev = http_parser_next(&c->parser, c->rest, c->rest_len, &used);
		c->rest += used;
		c->rest_len -= used;
		on_event(c, ev);
	}
	c->is_running = false;
	if (c->base.is_closing || c->base.is_handed)
		return;
	if (is_blocked(c)) {
		/* With nothing to hold back, the peer's end is to be seen. */
		if (c->rest_len || (c->req.is_paused && !c->req.body_done))
			stream_pause(c->base.stream);
		if (c->rest_len && stream_unread(c->base.stream, c->rest, c->rest_len))
			http1_conn_close(c, -ENOMEM);
		return;
	}
	if (c->wait == WAIT_IDLE && http_parser_is_partial(&c->parser))
		set_wait(c, WAIT_HEAD);
	/* By a request that is over. */
	stream_resume(c->base.stream);
}

static void on_stream_read(struct stream *s, const void *data, size_t len)
{
	struct http1_conn *c = stream_data(s);

	if (!c->base.is_closing)
		run(c, data, len);
}

static void on_stream_eof(struct stream *s)
{
	struct http1_conn *c = stream_data(s);
	struct tls_info tls;

	c->eof = true;
	if (c->base.is_closing)
		return;
	if (stream_tls_info(s, &tls)) {
		/* Whoever says close_notify reads no more. */
		http1_conn_close(c, c->req.is_live ? -ECONNRESET : 0);
	} else if (c->req.is_live && c->req.body_done) {
		/* Half-closed: the response still has somewhere to go. */
		c->close_after = true;
	} else if (c->req.is_live) {
		http1_conn_close(c, -ECONNRESET);
	} else if (http_parser_is_partial(&c->parser)) {
		refuse(c, 400, "ended in the middle of a head", -ECONNRESET);
	} else {
		http1_conn_finish(c, 0);
	}
}

static void on_stream_open(struct stream *s)
{
	struct http1_conn *c = stream_data(s);

	if (!c->base.is_closing)
		set_wait(c, WAIT_HEAD);
}

static void on_stream_drain(struct stream *s)
{
	struct http1_conn *c = stream_data(s);

	if (c->req.is_live && c->base.ops->on_drain)
		c->base.ops->on_drain(&c->req);
}

static const struct stream_ops stream_ops = {
	.on_open = on_stream_open,
	.on_read = on_stream_read,
	.on_eof = on_stream_eof,
	.on_drain = on_stream_drain,
	.on_close = on_stream_close,
};

static void close_conn(struct http_conn *base, int why)
{
	http1_conn_close(http1_conn_of(base), why);
}

static void drain(struct http_conn *base)
{
	struct http1_conn *c = http1_conn_of(base);

	c->close_after = true;
	if (!c->req.is_live && !base->is_closing && !base->is_handed && base->stream)
		http1_conn_finish(c, 0);
}

static void say_continue(struct http_request *req)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http1_conn *c = http1_conn_of(req->conn);

	if (c->wait == WAIT_CONTINUE)
		set_wait(c, WAIT_BODY);
	stream_write(c->base.stream, text, sizeof(text) - 1);
}

static void pause_body(struct http_request *req)
{
	struct http1_conn *c = http1_conn_of(req->conn);

	if (!req->body_done) {
		set_wait(c, WAIT_NOTHING);
		stream_pause(c->base.stream);
	}
}

/* It may come now. */
static void await_body(struct http_request *req)
{
	bool held = req->continue_held && !req->continue_sent && !req->head_sent &&
		    http_request_expects_continue(req);

	set_wait(http1_conn_of(req->conn), held ? WAIT_CONTINUE : WAIT_BODY);
	if (!held && !req->head_sent)
		http_request_continue(req);
}

static void resume_body(struct http_request *req)
{
	if (!req->body_done)
		await_body(req);
	/* A pause inside run() that is taken back there has stopped nothing. */
	stream_resume(req->conn->stream);
}

/* -- Life -- */

static const struct http_conn_impl impl = {
	.close = close_conn,
	.drain = drain,
	.pause = pause_body,
	.resume = resume_body,
	.say_continue = say_continue,
	.interim = http1_response_interim,
	.start = http1_response_start,
	.write = http1_response_write,
	.end = http1_response_end,
	.abort = http1_response_abort,
	.respond = http1_respond,
	.cork = http1_response_cork,
	.flush = http1_response_flush,
	.is_full = http1_response_is_full,
	.handover = http1_request_handover,
};

static bool is_http2(const struct stream *s)
{
	struct tls_info tls;

	return stream_is_open(s) && stream_tls_info(s, &tls) && tls.alpn && !strcmp(tls.alpn, "h2");
}

struct http_conn *http_conn_new(struct stream *s, const struct http_server_ops *ops,
	const struct http_limits *limits, void *data)
{
	static const struct stream_ops silent;
	struct http1_conn *c;
	struct stream_limits sl;

	if (is_http2(s))
		return http2_conn_new(s, ops, limits, data);
	c = calloc(1, sizeof(*c));
	if (!c || http_parser_init(&c->parser, false, limits)) {
		free(c);
		stream_set_ops(s, &silent, NULL);
		stream_close(s, -ENOMEM);
		return NULL;
	}
	c->base.impl = &impl;
	c->base.stream = s;
	c->base.ops = ops;
	c->base.data = data;
	uv_timer_init(stream_loop(s), &c->timer);
	c->timer.data = c;
	/* Idling is judged here, where it is known what is awaited. */
	c->stream_limits = sl = *stream_limits(s);
	sl.idle_ms = 0;
	stream_set_limits(s, &sl);
	stream_set_ops(s, &stream_ops, c);
	if (stream_is_open(s)) {
		set_wait(c, WAIT_HEAD);
		stream_resume(s);
	}
	return &c->base;
}
