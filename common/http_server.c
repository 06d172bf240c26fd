/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http_server_internal.h"

#define RATE_WINDOW_MS 10000
/* After that a client is told to go on, whatever the owner heard: those behind may not know how. */
#define CONTINUE_MS 1000

static void on_timer(uv_timer_t *timer);

static void set_wait(struct http_conn *c, enum conn_wait wait)
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
	if (c->is_closing || c->is_handed || !ms)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_timer, ms, 0);
}

/* -- Ends -- */

void http_conn_end_request(struct http_conn *c, int why)
{
	if (!c->req.is_live)
		return;
	c->req.is_live = false;
	if (c->ops->on_end)
		c->ops->on_end(&c->req, why);
}

void http_conn_on_timer_closed(uv_handle_t *handle)
{
	struct http_conn *c = handle->data;

	if (!c->is_handed && c->ops->on_close)
		c->ops->on_close(c, c->why);
	http_parser_fini(&c->parser);
	free(c);
}

static void on_stream_close(struct stream *s, int why)
{
	struct http_conn *c = stream_data(s);

	c->is_closing = true;
	http_conn_end_request(c, why ? why : -ECONNRESET);
	c->stream = NULL;
	c->why = why;
	uv_close((uv_handle_t *)&c->timer, http_conn_on_timer_closed);
}

void http_conn_close(struct http_conn *c, int why)
{
	if (c->is_closing || c->is_handed)
		return;
	c->is_closing = true;
	set_wait(c, WAIT_NOTHING);
	http_conn_end_request(c, why ? why : -ECANCELED);
	stream_close(c->stream, why);
}

void http_conn_finish(struct http_conn *c, int why)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	set_wait(c, WAIT_NOTHING);
	stream_finish(c->stream, why);
}

static void write_refusal(struct http_conn *c, int status)
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
		stream_write(c->stream, b.data, b.len);
	buf_fini(&b);
	http_head_fini(&h);
}

/* A request that cannot be served, or whose body went wrong. */
static void refuse(struct http_conn *c, int status, const char *reason, int why)
{
	bool answer = !c->req.is_live || !c->req.head_sent;

	if (c->is_closing)
		return;
	if (!c->req.is_live && c->ops->on_refused)
		c->ops->on_refused(c, status, reason);
	http_conn_end_request(c, why);
	if (c->is_closing)
		return;
	if (answer) {
		write_refusal(c, status);
		http_conn_finish(c, why);
	} else {
		http_conn_close(c, why);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct http_conn *c = timer->data;
	uint64_t got = c->parser.received - c->rate_mark;

	switch (c->wait) {
	case WAIT_NOTHING:
		return;
	case WAIT_IDLE:
		http_conn_close(c, 0);
		return;
	case WAIT_HEAD:
		if (http_parser_is_partial(&c->parser))
			refuse(c, 408, "head too slow", -ETIMEDOUT);
		else
			http_conn_close(c, -ETIMEDOUT);
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

static void begin_request(struct http_conn *c)
{
	struct http_request *req = &c->req;

	memset(req, 0, sizeof(*req));
	req->conn = c;
	req->is_live = true;
	req->body_done = c->parser.length == 0;
	c->close_after = !c->parser.keep_alive;
	set_wait(c, req->body_done ? WAIT_NOTHING : WAIT_BODY);
	c->ops->on_request(req);
	if (req->is_live && !req->head_sent && !req->is_paused && !req->body_done &&
		!req->continue_held)
		http_request_continue(req);
}

void http_conn_next(struct http_conn *c)
{
	http_parser_reset(&c->parser);
	set_wait(c, WAIT_IDLE);
	if (c->eof)
		http_conn_finish(c, 0);
	else if (!c->is_running)
		stream_resume(c->stream);
}

/* Nothing may be parsed now. */
static bool is_blocked(const struct http_conn *c)
{
	enum http_phase phase = c->parser.phase;

	/* The end is told also in a pause: no byte may come that could tell it later. */
	return c->is_closing || c->is_handed ||
	       (c->req.is_live &&
		       (phase == HTTP_PHASE_OVER || (c->req.is_paused && phase != HTTP_PHASE_END)));
}

static void on_event(struct http_conn *c, enum http_event ev)
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
		if (c->req.is_live && c->ops->on_body)
			c->ops->on_body(&c->req, p->body, p->body_len);
		break;
	case HTTP_EVENT_END:
		c->req.body_done = true;
		set_wait(c, WAIT_NOTHING);
		if (c->ops->on_body_end)
			c->ops->on_body_end(&c->req);
		break;
	case HTTP_EVENT_ERROR:
		refuse(c, p->status, p->reason, p->status == 413 ? -EMSGSIZE : -EBADMSG);
		break;
	}
}

static void run(struct http_conn *c, const char *data, size_t len)
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
	if (c->is_closing || c->is_handed)
		return;
	if (is_blocked(c)) {
		/* With nothing to hold back, the peer's end is to be seen. */
		if (c->rest_len || (c->req.is_paused && !c->req.body_done))
			stream_pause(c->stream);
		if (c->rest_len && stream_unread(c->stream, c->rest, c->rest_len))
			http_conn_close(c, -ENOMEM);
		return;
	}
	if (c->wait == WAIT_IDLE && http_parser_is_partial(&c->parser))
		set_wait(c, WAIT_HEAD);
	/* By a request that is over. */
	stream_resume(c->stream);
}

static void on_stream_read(struct stream *s, const void *data, size_t len)
{
	struct http_conn *c = stream_data(s);

	if (!c->is_closing)
		run(c, data, len);
}

static void on_stream_eof(struct stream *s)
{
	struct http_conn *c = stream_data(s);
	struct tls_info tls;

	c->eof = true;
	if (c->is_closing)
		return;
	if (stream_tls_info(s, &tls)) {
		/* Whoever says close_notify reads no more. */
		http_conn_close(c, c->req.is_live ? -ECONNRESET : 0);
	} else if (c->req.is_live && c->req.body_done) {
		/* Half-closed: the response still has somewhere to go. */
		c->close_after = true;
	} else if (c->req.is_live) {
		http_conn_close(c, -ECONNRESET);
	} else if (http_parser_is_partial(&c->parser)) {
		refuse(c, 400, "ended in the middle of a head", -ECONNRESET);
	} else {
		http_conn_finish(c, 0);
	}
}

static void on_stream_open(struct stream *s)
{
	struct http_conn *c = stream_data(s);

	if (!c->is_closing)
		set_wait(c, WAIT_HEAD);
}

static void on_stream_drain(struct stream *s)
{
	struct http_conn *c = stream_data(s);

	if (c->req.is_live && c->ops->on_drain)
		c->ops->on_drain(&c->req);
}

static const struct stream_ops stream_ops = {
	.on_open = on_stream_open,
	.on_read = on_stream_read,
	.on_eof = on_stream_eof,
	.on_drain = on_stream_drain,
	.on_close = on_stream_close,
};

struct http_conn *http_conn_new(struct stream *s, const struct http_server_ops *ops,
	const struct http_limits *limits, void *data)
{
	static const struct stream_ops silent;
	struct http_conn *c = calloc(1, sizeof(*c));
	struct stream_limits sl;

	if (!c || http_parser_init(&c->parser, false, limits)) {
		free(c);
		stream_set_ops(s, &silent, NULL);
		stream_close(s, -ENOMEM);
		return NULL;
	}
	c->stream = s;
	c->ops = ops;
	c->data = data;
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
	return c;
}

void *http_conn_data(const struct http_conn *c)
{
	return c->data;
}

struct stream *http_conn_stream(const struct http_conn *c)
{
	return c->stream;
}

void http_conn_drain(struct http_conn *c)
{
	c->is_draining = true;
	c->close_after = true;
	if (!c->req.is_live && !c->is_closing && !c->is_handed && c->stream)
		http_conn_finish(c, 0);
}

/* -- Looking at a request -- */

const struct http_head *http_request_head(const struct http_request *req)
{
	return &req->conn->parser.head;
}

const struct http_head *http_request_trailers(const struct http_request *req)
{
	return &req->conn->parser.trailers;
}

struct http_conn *http_request_conn(const struct http_request *req)
{
	return req->conn;
}

void http_request_set_data(struct http_request *req, void *data)
{
	req->data = data;
}

void *http_request_data(const struct http_request *req)
{
	return req->data;
}

uint64_t http_request_length(const struct http_request *req)
{
	return req->conn->parser.length;
}

bool http_request_expects_continue(const struct http_request *req)
{
	const struct http_head *h = http_request_head(req);

	return h->minor && http_head_get(h, "expect") && !req->body_done;
}

bool http_request_is_connect(const struct http_request *req)
{
	return !strcmp(http_request_head(req)->method, "CONNECT");
}

bool http_request_wants_upgrade(const struct http_request *req)
{
	const struct http_head *h = http_request_head(req);

	return h->minor && http_head_get(h, "upgrade") &&
	       http_head_has_token(h, "connection", "upgrade");
}

void http_request_continue(struct http_request *req)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (req->continue_sent || req->head_sent || !http_request_expects_continue(req))
		return;
	req->continue_sent = true;
	if (req->conn->wait == WAIT_CONTINUE)
		set_wait(req->conn, WAIT_BODY);
	stream_write(req->conn->stream, text, sizeof(text) - 1);
}

void http_request_hold_continue(struct http_request *req)
{
	req->continue_held = true;
}

void http_request_pause(struct http_request *req)
{
	struct http_conn *c = req->conn;

	if (req->is_paused || !req->is_live || c->is_closing)
		return;
	req->is_paused = true;
	if (!req->body_done) {
		set_wait(c, WAIT_NOTHING);
		stream_pause(c->stream);
	}
}

/* It may come now. */
static void await_body(struct http_request *req)
{
	bool held = req->continue_held && !req->continue_sent && !req->head_sent &&
		    http_request_expects_continue(req);

	set_wait(req->conn, held ? WAIT_CONTINUE : WAIT_BODY);
	if (!held && !req->head_sent)
		http_request_continue(req);
}

void http_request_resume(struct http_request *req)
{
	struct http_conn *c = req->conn;

	if (!req->is_paused || !req->is_live || c->is_closing)
		return;
	req->is_paused = false;
	if (!req->body_done)
		await_body(req);
	/* A pause inside run() that is taken back there has stopped nothing. */
	stream_resume(c->stream);
}
