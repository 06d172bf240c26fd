/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/http2_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/http2_head.h"
#include "common/http2_link.h"
#include "common/http_server_internal.h"

#define RATE_WINDOW_MS 10000
#define CONTINUE_MS    1000

struct http2_conn {
	struct http_conn base;
	struct http2_link link;
};

struct http2_request {
	struct http_request base;
	struct http2_stream stream;
	bool is_tunnel; /* extended CONNECT: silence is no slowness */
};

static struct http2_conn *conn_of(struct http_conn *c)
{
	return container_of(c, struct http2_conn, base);
}

static struct http2_request *request_of(struct http_request *req)
{
	return container_of(req, struct http2_request, base);
}

static struct http2_request *request_of_stream(struct http2_stream *s)
{
	return container_of(s, struct http2_request, stream);
}

/* -- Ends -- */

/* The owner is told, then the peer. */
static void fail(struct http2_request *r, int why, uint32_t code)
{
	http_request_finish(&r->base, why);
	http2_stream_reset(&r->stream, code);
}

static void close_conn(struct http_conn *base, int why)
{
	struct http2_conn *c = conn_of(base);

	if (base->is_closing)
		return;
	base->is_closing = true;
	list_foreach_safe (&c->link.streams, it)
		http_request_finish(
			&request_of_stream(container_of(it, struct http2_stream, node))->base,
			why ? why : -ECANCELED);
	http2_link_close(&c->link, why);
}

static void drain(struct http_conn *base)
{
	http2_link_drain(&conn_of(base)->link);
}

/* -- Answers -- */

static bool has_no_body(const struct http_request *req, int status)
{
	return status == 204 || status == 304 || !strcmp(req->head->method, "HEAD");
}

/* The head says that there is no more. */
static bool is_bare(const struct http_request *req)
{
	return req->out.is_swallowed || req->out.framing == HTTP_BODY_NONE;
}

static int start(struct http_request *req, const struct http_head *head, enum http_framing framing,
	uint64_t len)
{
	struct http2_stream *s = &request_of(req)->stream;
	bool says = framing == HTTP_BODY_LENGTH && head->status != 204 && head->status != 304;
	nghttp2_data_provider source;
	struct http2_fields f;
	int err = http2_fields_make(&f, head, HTTP2_RESPONSE, says ? len : UINT64_MAX);

	if (err)
		return err;
	req->out = (struct http_body_out){ .framing = framing, .left = len };
	req->out.is_swallowed = has_no_body(req, head->status);
	req->status = head->status;
	http2_stream_source(s, &source);
	err = nghttp2_submit_response(
		s->link->session, s->id, f.v, f.n, is_bare(req) ? NULL : &source);
	http2_fields_fini(&f);
	if (err)
		return -ENOMEM;
	req->head_sent = true;
	http2_link_kick(s->link);
	return 0;
}

static int send_interim(struct http_request *req, const struct http_head *head)
{
	struct http2_stream *s = &request_of(req)->stream;
	struct http2_fields f;
	int err = http2_fields_make(&f, head, HTTP2_INTERIM, UINT64_MAX);

	if (err)
		return err;
	err = nghttp2_submit_headers(
		s->link->session, NGHTTP2_FLAG_NONE, s->id, NULL, f.v, f.n, NULL);
	http2_fields_fini(&f);
	http2_link_kick(s->link);
	return err ? -ENOMEM : 0;
}

static void say_continue(struct http_request *req)
{
	struct http_head h;

	http_head_init(&h);
	http_head_set_status(&h, 100);
	send_interim(req, &h);
	http_head_fini(&h);
}

static int write_body(struct http_request *req, const void *data, size_t len)
{
	struct http_body_out *o = &req->out;

	if (!len)
		return 0;
	if (o->framing == HTTP_BODY_NONE)
		return o->is_swallowed ? 0 : -EMSGSIZE;
	if (o->framing == HTTP_BODY_LENGTH && len > o->left)
		return -EMSGSIZE;
	o->left -= o->framing == HTTP_BODY_LENGTH ? len : 0;
	if (o->is_swallowed)
		return 0;
	o->sent += len;
	return http2_stream_write(&request_of(req)->stream, data, len);
}

static int end(struct http_request *req, const struct http_head *trailers)
{
	struct http2_request *r = request_of(req);
	int err = 0;

	if (req->out.framing == HTTP_BODY_LENGTH && req->out.left && !req->out.is_swallowed)
		err = -EMSGSIZE;
	else if (!is_bare(req))
		err = http2_stream_end(&r->stream, trailers);
	if (err) {
		fail(r, err, NGHTTP2_INTERNAL_ERROR);
		return err;
	}
	r->stream.is_ending = true;
	http_request_finish(req, 0);
	/* Its head was all of it, and is long sent. */
	if (r->stream.is_over)
		http2_stream_reset(&r->stream, NGHTTP2_NO_ERROR);
	return 0;
}

static void abort_response(struct http_request *req)
{
	fail(request_of(req), -ECANCELED, NGHTTP2_INTERNAL_ERROR);
}

static int respond(
	struct http_request *req, const struct http_head *head, const void *body, size_t len)
{
	int err = start(req, head, HTTP_BODY_LENGTH, len);

	if (!err)
		err = write_body(req, body, len);
	return err ? err : end(req, NULL);
}

/* What is written goes out by itself once the loop comes round. */
static void cork(struct http_request *req)
{
	(void)req;
}

static bool is_full(const struct http_request *req)
{
	return container_of(req, struct http2_request, base)->stream.is_full;
}

static void pause_body(struct http_request *req)
{
	http2_stream_pause(&request_of(req)->stream);
}

static void resume_body(struct http_request *req)
{
	http2_stream_resume(&request_of(req)->stream);
	if (!req->continue_held)
		http_request_continue(req);
}

/* A stream is no connection that could be given away. */
static struct stream *handover(struct http_request *req, const struct http_head *head)
{
	(void)req, (void)head;
	return NULL;
}

static const struct http_conn_impl impl = {
	.is_http2 = true,
	.close = close_conn,
	.drain = drain,
	.pause = pause_body,
	.resume = resume_body,
	.say_continue = say_continue,
	.interim = send_interim,
	.start = start,
	.write = write_body,
	.end = end,
	.abort = abort_response,
	.respond = respond,
	.cork = cork,
	.flush = cork,
	.is_full = is_full,
	.handover = handover,
};

/* -- Requests -- */

static struct http2_stream *on_begin(struct http2_link *l, int32_t id)
{
	struct http2_conn *c = container_of(l, struct http2_conn, link);
	struct http2_request *r = c->base.is_closing ? NULL : calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	http2_stream_init(&r->stream, l, id);
	r->base.conn = &c->base;
	r->base.head = &r->stream.head;
	r->base.trailers = &r->stream.trailers;
	return &r->stream;
}

/* Before the owner knows of it. */
static void refuse(struct http2_request *r, int status)
{
	struct http_conn *c = r->base.conn;
	const char *text = http_status_text(status);
	struct http_head h;

	if (c->ops->on_refused)
		c->ops->on_refused(c, status, "head");
	/* Nothing of the head is to be used, not even what it says of a body. */
	r->stream.head.method = "GET";
	http_head_init(&h);
	if (!c->is_closing && !http_head_set_status(&h, status) &&
		!start(&r->base, &h, HTTP_BODY_LENGTH, strlen(text)) &&
		!write_body(&r->base, text, strlen(text)))
		http2_stream_end(&r->stream, NULL);
	http_head_fini(&h);
}

/* Those without a word on it take turns; else one would wait for another's end (RFC 9218 4.2). */
static void set_priority(struct http2_stream *s)
{
	const nghttp2_extpri fair = { NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1 };

	if (!http_head_get(&s->head, "priority"))
		nghttp2_session_change_extpri_stream_priority(s->link->session, s->id, &fair, 0);
}

static uint64_t declared_length(const struct http2_stream *s)
{
	const char *length = http_head_get(&s->head, "content-length");

	return length ? strtoull(length, NULL, 10) : UINT64_MAX;
}

static void on_head(struct http2_stream *s)
{
	struct http2_request *r = request_of_stream(s);
	struct http_request *req = &r->base;
	int status = s->head_error ? s->head_error : http2_head_finish_request(&s->head);

	if (req->conn->is_closing)
		return;
	if (status) {
		refuse(r, status < 0 ? 503 : status);
		return;
	}
	set_priority(s);
	req->body_done = s->is_ended_in;
	r->is_tunnel = http_request_wants_upgrade(req);
	req->length = req->body_done || r->is_tunnel ? 0 : declared_length(s);
	req->is_live = true;
	req->conn->ops->on_request(req);
	if (req->is_live && !req->head_sent && !req->is_paused && !req->body_done &&
		!req->continue_held)
		http_request_continue(req);
}

static void on_data(struct http2_stream *s, const void *data, size_t len)
{
	struct http_request *req = &request_of_stream(s)->base;
	struct http_conn *c = req->conn;

	if (!req->is_live || c->is_closing)
		return;
	req->continue_sent = true;
	if (s->link->limits.max_body && s->received > s->link->limits.max_body) {
		if (req->head_sent)
			fail(request_of_stream(s), -EMSGSIZE, NGHTTP2_CANCEL);
		else
			http_respond(req, 413, NULL, NULL, 0);
		return;
	}
	if (c->ops->on_body)
		c->ops->on_body(req, data, len);
}

static void on_end(struct http2_stream *s)
{
	struct http_request *req = &request_of_stream(s)->base;
	struct http_conn *c = req->conn;

	if (!req->is_live || c->is_closing)
		return;
	req->body_done = true;
	if (c->ops->on_body_end)
		c->ops->on_body_end(req);
}

static void on_drain(struct http2_stream *s)
{
	struct http_request *req = &request_of_stream(s)->base;
	struct http_conn *c = req->conn;

	if (req->is_live && !c->is_closing && c->ops->on_drain)
		c->ops->on_drain(req);
}

static void on_gone(struct http2_stream *s, uint32_t code)
{
	struct http2_request *r = request_of_stream(s);

	(void)code;
	http_request_finish(&r->base, -ECONNRESET);
	http2_stream_fini(s);
	free(r);
}

/* -- Time -- */

static bool is_too_slow(struct http2_stream *s, uint64_t now)
{
	const struct http_limits *l = &s->link->limits;
	uint64_t ms = now - s->rate_since, got = s->received - s->rate_mark;

	if (s->is_ended_in || s->is_paused || !l->body_min_rate || ms < RATE_WINDOW_MS)
		return false;
	s->rate_since = now;
	s->rate_mark = s->received;
	return got * 1000 < l->body_min_rate * ms;
}

static void check(struct http2_request *r, uint64_t now)
{
	struct http_request *req = &r->base;
	struct http2_stream *s = &r->stream;

	if (http2_stream_is_stalled(s)) {
		fail(r, -ETIMEDOUT, NGHTTP2_CANCEL);
		return;
	}
	if (!req->is_live || r->is_tunnel)
		return;
	if (req->continue_held && !req->is_paused && now - s->rate_since >= CONTINUE_MS)
		http_request_continue(req);
	if (!is_too_slow(s, now))
		return;
	if (req->head_sent)
		fail(r, -ETIMEDOUT, NGHTTP2_CANCEL);
	else
		http_respond(req, 408, NULL, NULL, 0);
}

static void on_tick(struct http2_link *l)
{
	uint64_t now = http2_link_now(l);

	list_foreach_safe (&l->streams, it) {
		if (l->is_closing)
			return;
		check(request_of_stream(container_of(it, struct http2_stream, node)), now);
	}
}

/* -- Connections -- */

static void on_close(struct http2_link *l, int why)
{
	struct http2_conn *c = container_of(l, struct http2_conn, link);

	c->base.is_closing = true;
	c->base.stream = NULL;
	if (c->base.ops->on_close)
		c->base.ops->on_close(&c->base, why);
	free(c);
}

static const struct http2_link_ops link_ops = {
	.on_begin = on_begin,
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
	.on_drain = on_drain,
	.on_gone = on_gone,
	.on_tick = on_tick,
	.on_close = on_close,
};

struct http_conn *http2_conn_new(struct stream *s, const struct http_server_ops *ops,
	const struct http_limits *limits, void *data)
{
	static const struct stream_ops silent;
	struct http2_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		stream_set_ops(s, &silent, NULL);
		stream_close(s, -ENOMEM);
		return NULL;
	}
	c->base.impl = &impl;
	c->base.stream = s;
	c->base.ops = ops;
	c->base.data = data;
	if (http2_link_open(&c->link, s, true, &link_ops, limits)) {
		free(c);
		return NULL;
	}
	return &c->base;
}
