/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_client_internal.h"
#include "common/http_internal.h"

#define RATE_WINDOW_MS	 10000
#define CLIENT_HEADER_MS 60000
/* Of 1xx before one answer. */
#define INTERIM_MAX 100

enum client_wait {
	CLIENT_WAIT_NOTHING,
	CLIENT_WAIT_HEAD,
	CLIENT_WAIT_BODY,
};

struct http1_client {
	struct http_client base;
	struct stream *stream; /* NULL once it closed or was handed over */
	uv_timer_t timer;
	struct http_parser parser;
	struct stream_limits stream_limits;
	enum client_wait wait;
	uint64_t rate_mark;
	unsigned interims; /* heads of 1xx since the request */
	struct http_body_out out;
	bool is_busy;	   /* an exchange is under way */
	bool request_done; /* written whole */
	bool keep_alive;
	bool is_paused;
	bool is_running;
	bool is_closing;
	bool is_handed;
	int why;
	enum tls_verify verify; /* as the stream left it */
	char error[192];
	const char *rest;
	size_t rest_len;
};

static struct http1_client *client_of(struct http_client *c)
{
	return container_of(c, struct http1_client, base);
}

static void on_timer(uv_timer_t *timer);
static void close_client(struct http1_client *c, int why);

static void set_wait(struct http1_client *c, enum client_wait wait)
{
	const struct http_limits *l = &c->parser.limits;
	uint64_t ms = 0;

	c->wait = wait;
	if (wait == CLIENT_WAIT_HEAD)
		ms = l->header_ms;
	else if (wait == CLIENT_WAIT_BODY)
		ms = l->body_min_rate ? RATE_WINDOW_MS : l->body_idle_ms;
	c->rate_mark = c->parser.received;
	if (c->is_closing || c->is_handed || !ms)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void fail(struct http1_client *c, int why, const char *text)
{
	if (!c->error[0])
		snprintf(c->error, sizeof(c->error), "http: %s", text);
	close_client(c, why);
}

static void on_timer(uv_timer_t *timer)
{
	struct http1_client *c = timer->data;
	const struct http_limits *l = &c->parser.limits;
	uint64_t got = c->parser.received - c->rate_mark;

	if (c->wait == CLIENT_WAIT_HEAD)
		fail(c, -ETIMEDOUT, "no response in time");
	else if (got * 1000 < (uint64_t)l->body_min_rate * RATE_WINDOW_MS ||
		 (!l->body_min_rate && !got))
		fail(c, -ETIMEDOUT, "body too slow");
	else
		set_wait(c, CLIENT_WAIT_BODY);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct http1_client *c = handle->data;

	if (!c->is_handed && c->base.ops->on_close)
		c->base.ops->on_close(&c->base, c->why);
	http_parser_fini(&c->parser);
	free(c);
}

static void on_stream_close(struct stream *s, int why)
{
	struct http1_client *c = stream_data(s);
	struct tls_info info;

	c->is_closing = true;
	if (!c->error[0])
		snprintf(c->error, sizeof(c->error), "%s", stream_error(s));
	/* A peer that hangs up between exchanges has done no harm, whatever its manners. */
	c->why = !c->is_busy && why == -ECONNRESET && c->request_done ? 0 : why;
	if (stream_tls_info(s, &info))
		c->verify = info.verify;
	c->stream = NULL;
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void close_client(struct http1_client *c, int why)
{
	if (c->is_closing || c->is_handed)
		return;
	c->is_closing = true;
	set_wait(c, CLIENT_WAIT_NOTHING);
	stream_close(c->stream, why);
}

/* -- The response -- */

static void begin_response(struct http1_client *c)
{
	struct http_parser *p = &c->parser;

	if (p->head.status < 200 && p->head.status != 101) {
		if (++c->interims > INTERIM_MAX)
			fail(c, -EBADMSG, "too many interim answers");
		else if (c->base.ops->on_interim)
			c->base.ops->on_interim(&c->base, &p->head);
		return;
	}
	c->keep_alive = p->keep_alive && !p->upgraded;
	set_wait(c, CLIENT_WAIT_BODY);
	c->base.ops->on_response(&c->base);
	if (p->upgraded && !c->is_handed && !c->is_closing)
		fail(c, -EPROTO, "upgrade that nobody wanted");
}

static void end_message(struct http1_client *c)
{
	if (c->parser.head.status < 200) {
		http_parser_reset(&c->parser);
		set_wait(c, c->request_done ? CLIENT_WAIT_HEAD : CLIENT_WAIT_NOTHING);
		return;
	}
	set_wait(c, CLIENT_WAIT_NOTHING);
	c->is_busy = false;
	if (c->is_paused) {
		/* There is nothing left to hold back; while idle, the peer's end must be seen. */
		c->is_paused = false;
		stream_resume(c->stream);
	}
	/* Answered before it was asked to the end: the rest would be taken for another request. */
	if (!c->request_done)
		c->keep_alive = false;
	c->base.ops->on_response_end(&c->base);
	if (!c->is_closing && !c->is_handed && !c->is_busy && !c->keep_alive)
		close_client(c, 0);
}

static bool is_blocked(const struct http1_client *c)
{
	/* The end is told also in a pause: no byte may come that could tell it later. */
	return c->is_closing || c->is_handed || (c->is_paused && c->parser.phase != HTTP_PHASE_END);
}

static void on_event(struct http1_client *c, enum http_event ev)
{
	switch (ev) {
	case HTTP_EVENT_MORE:
		break;
	case HTTP_EVENT_HEAD:
		begin_response(c);
		break;
	case HTTP_EVENT_BODY:
		if (c->base.ops->on_body)
			c->base.ops->on_body(&c->base, c->parser.body, c->parser.body_len);
		break;
	case HTTP_EVENT_END:
		end_message(c);
		break;
	case HTTP_EVENT_ERROR:
		fail(c, c->parser.status == 413 ? -EMSGSIZE : -EBADMSG, c->parser.reason);
		break;
	}
}

static void run(struct http1_client *c, const char *data, size_t len)
{
	enum http_event ev = HTTP_EVENT_END;
	size_t used;

	c->is_running = true;
	c->rest = data;
	c->rest_len = len;
	while (!is_blocked(c) && c->is_busy && (c->rest_len || ev != HTTP_EVENT_MORE)) {
		ev = http_parser_next(&c->parser, c->rest, c->rest_len, &used);
		c->rest += used;
		c->rest_len -= used;
		on_event(c, ev);
	}
	c->is_running = false;
	if (c->is_closing || c->is_handed)
		return;
	if (c->base.ops->on_told)
		c->base.ops->on_told(&c->base);
	if (c->is_closing)
		return;
	if (c->is_paused) {
		stream_pause(c->stream);
		if (c->rest_len && stream_unread(c->stream, c->rest, c->rest_len))
			fail(c, -ENOMEM, "out of memory");
	} else if (!c->is_busy && c->rest_len) {
		fail(c, -EBADMSG, "bytes that nobody asked for");
	}
}

static void on_stream_read(struct stream *s, const void *data, size_t len)
{
	struct http1_client *c = stream_data(s);

	if (c->is_closing)
		return;
	c->base.is_answered = true;
	run(c, data, len);
}

static void on_stream_eof(struct stream *s)
{
	struct http1_client *c = stream_data(s);

	if (c->is_closing)
		return;
	if (!c->is_busy) {
		close_client(c, 0);
		return;
	}
	if (c->parser.phase == HTTP_PHASE_HEAD && !http_parser_is_partial(&c->parser)) {
		fail(c, -ECONNRESET, "closed without a response");
		return;
	}
	if (http_parser_finish(&c->parser) == HTTP_EVENT_END)
		end_message(c);
	else
		fail(c, -ECONNRESET, c->parser.reason);
}

static void on_stream_open(struct stream *s)
{
	struct http1_client *c = stream_data(s);

	if (!c->is_closing && c->base.ops->on_open)
		c->base.ops->on_open(&c->base);
}

static void on_stream_drain(struct stream *s)
{
	struct http1_client *c = stream_data(s);

	if (!c->is_closing && c->base.ops->on_drain)
		c->base.ops->on_drain(&c->base);
}

static const struct stream_ops stream_ops = {
	.on_open = on_stream_open,
	.on_read = on_stream_read,
	.on_eof = on_stream_eof,
	.on_drain = on_stream_drain,
	.on_close = on_stream_close,
};

static struct stream *get_stream(const struct http_client *c)
{
	return container_of(c, const struct http1_client, base)->stream;
}

static bool is_idle(const struct http1_client *c)
{
	return !c->is_busy && !c->is_closing && !c->is_handed && c->keep_alive && c->request_done &&
	       c->stream && stream_is_open(c->stream);
}

static bool is_client_idle(const struct http_client *c)
{
	return is_idle(container_of(c, const struct http1_client, base));
}

static const char *get_error(const struct http_client *c)
{
	return container_of(c, const struct http1_client, base)->error;
}

static enum tls_verify get_verify(const struct http_client *base)
{
	const struct http1_client *c = container_of(base, const struct http1_client, base);
	struct tls_info info;

	return c->stream && stream_tls_info(c->stream, &info) ? info.verify : c->verify;
}

/* -- The request -- */

static void request_done(struct http1_client *c)
{
	c->request_done = true;
	if (c->is_busy && c->wait == CLIENT_WAIT_NOTHING)
		set_wait(c, CLIENT_WAIT_HEAD);
}

static int send_request(struct http_client *base, const struct http_head *head,
	enum http_framing framing, uint64_t len)
{
	struct http1_client *c = client_of(base);
	struct http_framing_lines f = { .is_request = true, .framing = framing };
	struct buf b;
	int err;

	if (!is_idle(c))
		return -EBUSY;
	if (framing == HTTP_BODY_CLOSE || !head->method || !http_head_get(head, "host"))
		return -EINVAL;
	f.len = framing == HTTP_BODY_LENGTH ? len : 0;
	/* Without a body, methods that usually have one say so (RFC 9110 8.6). */
	f.say_length = framing != HTTP_BODY_NONE || !strcmp(head->method, "POST") ||
		       !strcmp(head->method, "PUT") || !strcmp(head->method, "PATCH");
	if (http_head_get(head, "upgrade") && http_head_has_token(head, "connection", "upgrade"))
		f.connection = "Upgrade";
	else if (http_head_has_token(head, "connection", "close"))
		f.connection = "close";
	buf_init(&b, 0);
	err = http_encode_head(&b, head, &f);
	if (!err)
		err = stream_write(c->stream, b.data, b.len);
	buf_fini(&b);
	if (err)
		return err;
	http_parser_reset(&c->parser);
	c->parser.to_head = !strcmp(head->method, "HEAD");
	c->parser.to_connect = !strcmp(head->method, "CONNECT");
	c->out = (struct http_body_out){ .framing = framing, .left = f.len };
	c->is_busy = true;
	c->base.is_answered = false;
	c->interims = 0;
	c->request_done = false;
	set_wait(c, CLIENT_WAIT_NOTHING);
	if (framing == HTTP_BODY_NONE)
		request_done(c);
	return 0;
}

static int check_writing(const struct http1_client *c)
{
	return c->is_closing || c->is_handed || c->request_done ? -EPIPE : 0;
}

static int write_body(struct http_client *base, const void *data, size_t len)
{
	struct http1_client *c = client_of(base);
	int err = check_writing(c);

	return err ? err : http_body_write(&c->out, c->stream, data, len);
}

static int end_request(struct http_client *base, const struct http_head *trailers)
{
	struct http1_client *c = client_of(base);
	int err;

	if (c->request_done && c->is_busy && c->out.framing == HTTP_BODY_NONE)
		return 0;
	err = check_writing(c);
	if (err)
		return err;
	err = http_body_end(&c->out, c->stream, trailers);
	if (err)
		fail(c, err, "request body cut short");
	else
		request_done(c);
	return err;
}

static bool is_full(const struct http_client *base)
{
	const struct http1_client *c = container_of(base, const struct http1_client, base);

	return c->stream && stream_is_full(c->stream);
}

/* -- Looking at the response -- */

static uint64_t get_length(const struct http_client *c)
{
	return container_of(c, const struct http1_client, base)->parser.length;
}

static void pause_body(struct http_client *base)
{
	struct http1_client *c = client_of(base);

	if (c->is_paused || c->is_closing || c->is_handed)
		return;
	c->is_paused = true;
	set_wait(c, CLIENT_WAIT_NOTHING);
	stream_pause(c->stream);
}

static void resume_body(struct http_client *base)
{
	struct http1_client *c = client_of(base);

	if (!c->is_paused || c->is_closing || c->is_handed)
		return;
	c->is_paused = false;
	if (c->is_busy)
		set_wait(c, c->parser.head_done ? CLIENT_WAIT_BODY
			    : c->request_done	? CLIENT_WAIT_HEAD
						: CLIENT_WAIT_NOTHING);
	stream_resume(c->stream);
}

static struct stream *handover(struct http_client *base)
{
	static const struct stream_ops silent;
	struct http1_client *c = client_of(base);
	struct stream *s = c->stream;

	if (c->is_closing || c->is_handed || !c->is_running || !c->parser.upgraded)
		return NULL;
	stream_pause(s);
	if (stream_unread(s, c->rest, c->rest_len))
		return NULL;
	set_wait(c, CLIENT_WAIT_NOTHING);
	c->is_handed = true;
	c->stream = NULL;
	c->rest_len = 0;
	stream_set_ops(s, &silent, NULL);
	stream_set_limits(s, &c->stream_limits);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	return s;
}

/* -- Life -- */

static void close_it(struct http_client *c, int why)
{
	close_client(client_of(c), why);
}

static const struct http_client_impl impl = {
	.stream = get_stream,
	.is_idle = is_client_idle,
	.error = get_error,
	.verify = get_verify,
	.send = send_request,
	.write = write_body,
	.end = end_request,
	.is_full = is_full,
	.length = get_length,
	.pause = pause_body,
	.resume = resume_body,
	.handover = handover,
	.close = close_it,
};

struct http_client *http_client_new(struct stream *s, const struct http_client_ops *ops,
	const struct http_limits *limits, void *data)
{
	static const struct stream_ops silent;
	struct http1_client *c = calloc(1, sizeof(*c));
	struct stream_limits sl;

	if (!c || http_parser_init(&c->parser, true, limits)) {
		free(c);
		stream_set_ops(s, &silent, NULL);
		stream_close(s, -ENOMEM);
		return NULL;
	}
	if (!limits)
		c->parser.limits.header_ms = CLIENT_HEADER_MS;
	c->base.impl = &impl;
	c->base.head = &c->parser.head;
	c->base.trailers = &c->parser.trailers;
	c->stream = s;
	c->base.ops = ops;
	c->base.data = data;
	c->request_done = true;
	c->keep_alive = true;
	uv_timer_init(stream_loop(s), &c->timer);
	c->timer.data = c;
	c->base.born = uv_now(c->timer.loop);
	c->stream_limits = sl = *stream_limits(s);
	sl.idle_ms = 0;
	stream_set_limits(s, &sl);
	stream_set_ops(s, &stream_ops, c);
	if (stream_is_open(s))
		stream_resume(s);
	return &c->base;
}
