/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/http2_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http2_head.h"
#include "common/http2_link.h"
#include "common/http2_stream.h"
#include "common/http_client_internal.h"
#include "common/http_internal.h"

#define RATE_WINDOW_MS 10000
/* Of 1xx before one answer. */
#define INTERIM_MAX 100

struct http2_carrier {
	struct http2_link link;
	http2_carrier_on_close on_close;
	void *data;
	uint64_t born; /* loop time, ms */
	bool is_draining;
	bool has_refused;
	bool has_waiting; /* exchanges that ended before they began */
};

struct http2_client {
	struct http_client base;
	struct http2_stream stream;
	struct http_body_out out;
	bool is_sent, request_done, is_closing, is_done;
	bool is_fresh; /* something was told since on_told */
	bool to_head;
	unsigned interims;
	int why;
	const char *error;
};

static struct http2_carrier *carrier_of(struct http2_link *l)
{
	return container_of(l, struct http2_carrier, link);
}

static struct http2_client *client_of(struct http_client *c)
{
	return container_of(c, struct http2_client, base);
}

static const struct http2_client *peek(const struct http_client *c)
{
	return container_of(c, const struct http2_client, base);
}

static struct http2_client *client_of_stream(struct http2_stream *s)
{
	return container_of(s, struct http2_client, stream);
}

/* -- Ends -- */

static void close_client(struct http_client *base, int why)
{
	struct http2_client *c = client_of(base);
	struct http2_link *l = c->stream.link;

	if (c->is_closing)
		return;
	c->is_closing = true;
	c->why = why;
	if (c->is_done && c->stream.is_ended_out)
		return; /* it ends by itself */
	if (c->is_sent) {
		http2_stream_reset(&c->stream, NGHTTP2_CANCEL);
	} else {
		carrier_of(l)->has_waiting = true;
		http2_link_kick(l);
	}
}

static void fail(struct http2_client *c, int why, const char *text)
{
	if (!c->error)
		c->error = text;
	close_client(&c->base, why);
}

static int reason_of(const struct http2_client *c, uint32_t code)
{
	if (c->is_closing)
		return c->why;
	if (c->is_done)
		return 0;
	switch (code) {
	case NGHTTP2_HTTP_1_1_REQUIRED:
		return -EOPNOTSUPP;
	case NGHTTP2_REFUSED_STREAM:
		return -EAGAIN;
	case NGHTTP2_PROTOCOL_ERROR:
	case NGHTTP2_COMPRESSION_ERROR:
	case NGHTTP2_FRAME_SIZE_ERROR:
		return -EBADMSG;
	default:
		return -ECONNRESET;
	}
}

static void on_gone(struct http2_stream *s, uint32_t code)
{
	struct http2_client *c = client_of_stream(s);
	int why = reason_of(c, code);

	if (why == -EAGAIN)
		carrier_of(s->link)->has_refused = true;
	if (!c->error && why)
		c->error = nghttp2_http2_strerror(code);
	c->is_closing = true;
	if (c->base.ops && c->base.ops->on_close)
		c->base.ops->on_close(&c->base, why);
	http2_stream_fini(s);
	free(c);
}

/* -- The request -- */

static int send_request(struct http_client *base, const struct http_head *head,
	enum http_framing framing, uint64_t len)
{
	struct http2_client *c = client_of(base);
	struct http2_stream *s = &c->stream;
	nghttp2_data_provider source;
	struct http2_fields f;
	int err;

	if (c->is_sent || c->is_closing)
		return -EBUSY;
	if (framing == HTTP_BODY_CLOSE)
		return -EINVAL;
	err = http2_fields_make(
		&f, head, HTTP2_REQUEST, framing == HTTP_BODY_LENGTH ? len : UINT64_MAX);
	if (err)
		return err;
	http2_stream_source(s, &source);
	s->id = nghttp2_submit_request(
		s->link->session, NULL, f.v, f.n, framing == HTTP_BODY_NONE ? NULL : &source, s);
	http2_fields_fini(&f);
	if (s->id < 0) {
		s->id = 0;
		return -ENOMEM;
	}
	c->is_sent = true;
	c->to_head = !strcmp(head->method, "HEAD");
	c->request_done = framing == HTTP_BODY_NONE;
	c->out = (struct http_body_out){ .framing = framing, .left = len };
	s->rate_since = http2_link_now(s->link);
	http2_link_kick(s->link);
	return 0;
}

static int write_body(struct http_client *base, const void *data, size_t len)
{
	struct http2_client *c = client_of(base);

	if (c->is_closing || c->request_done)
		return -EPIPE;
	if (!len)
		return 0;
	if (c->out.framing == HTTP_BODY_LENGTH && len > c->out.left)
		return -EMSGSIZE;
	c->out.left -= c->out.framing == HTTP_BODY_LENGTH ? len : 0;
	return http2_stream_write(&c->stream, data, len);
}

static int end_request(struct http_client *base, const struct http_head *trailers)
{
	struct http2_client *c = client_of(base);
	int err;

	if (c->is_sent && c->out.framing == HTTP_BODY_NONE)
		return 0;
	if (c->is_closing || c->request_done)
		return -EPIPE;
	err = c->out.framing == HTTP_BODY_LENGTH && c->out.left
		      ? -EMSGSIZE
		      : http2_stream_end(&c->stream, trailers);
	if (err) {
		fail(c, err, "http2: request body cut short");
		return err;
	}
	c->request_done = true;
	c->stream.rate_since = http2_link_now(c->stream.link);
	return 0;
}

/* -- The response -- */

static void on_head(struct http2_stream *s)
{
	struct http2_client *c = client_of_stream(s);
	struct http_client *base = &c->base;

	if (c->is_closing)
		return;
	base->is_answered = c->is_fresh = true;
	if (s->head_error) {
		fail(c, -EMSGSIZE, "http2: head too large");
	} else if (s->head.status >= 200) {
		base->ops->on_response(base);
	} else if (++c->interims > INTERIM_MAX) {
		fail(c, -EBADMSG, "http2: too many interim answers");
	} else if (base->ops->on_interim) {
		base->ops->on_interim(base, &s->head);
	}
}

static void on_data(struct http2_stream *s, const void *data, size_t len)
{
	struct http2_client *c = client_of_stream(s);

	c->is_fresh = true;
	if (!c->is_closing && c->base.ops->on_body)
		c->base.ops->on_body(&c->base, data, len);
}

static void on_end(struct http2_stream *s)
{
	struct http2_client *c = client_of_stream(s);

	if (c->is_closing)
		return;
	c->is_done = c->is_fresh = true;
	c->base.ops->on_response_end(&c->base);
	/* Answered before it was asked to the end. */
	if (!s->is_ended_out)
		close_client(&c->base, 0);
}

static void on_drain(struct http2_stream *s)
{
	struct http2_client *c = client_of_stream(s);

	if (!c->is_closing && c->base.ops->on_drain)
		c->base.ops->on_drain(&c->base);
}

static void on_told(struct http2_link *l)
{
	struct http2_carrier *carrier = carrier_of(l);
	bool has_waiting = carrier->has_waiting;

	carrier->has_waiting = false;
	list_foreach_safe (&l->streams, it) {
		struct http2_client *c =
			client_of_stream(container_of(it, struct http2_stream, node));

		if (c->is_fresh && !c->is_closing && c->base.ops->on_told)
			c->base.ops->on_told(&c->base);
		c->is_fresh = false;
		if (has_waiting && c->is_closing && !c->is_sent)
			http2_stream_leave(&c->stream, NGHTTP2_CANCEL);
	}
}

/* -- Time -- */

static void check(struct http2_client *c, uint64_t now)
{
	struct http2_stream *s = &c->stream;
	const struct http_limits *l = &s->link->limits;
	uint64_t ms = now - s->rate_since;

	if (c->is_closing || !c->is_sent || s->is_paused || s->in.len || c->is_done)
		return;
	if (http2_stream_is_stalled(s)) {
		fail(c, -ETIMEDOUT, "http2: request not taken in time");
	} else if (!s->has_head) {
		if (c->request_done && l->header_ms && ms >= l->header_ms)
			fail(c, -ETIMEDOUT, "http2: no response in time");
	} else if (s->received != s->rate_mark) {
		s->rate_mark = s->received;
		s->rate_since = now;
	} else if (l->body_idle_ms && ms >= l->body_idle_ms) {
		fail(c, -ETIMEDOUT, "http2: body too slow");
	}
}

static void on_tick(struct http2_link *l)
{
	uint64_t now = http2_link_now(l);

	list_foreach_safe (&l->streams, it)
		check(client_of_stream(container_of(it, struct http2_stream, node)), now);
}

/* -- What http.h asks for -- */

static struct stream *get_stream(const struct http_client *c)
{
	return peek(c)->stream.link->stream;
}

static bool is_idle(const struct http_client *base)
{
	const struct http2_client *c = peek(base);

	return !c->is_sent && !c->is_closing && !c->stream.link->is_closing;
}

static const char *get_error(const struct http_client *c)
{
	return peek(c)->error ? peek(c)->error : "";
}

static enum tls_verify get_verify(const struct http_client *c)
{
	struct tls_info info;

	return get_stream(c) && stream_tls_info(get_stream(c), &info) ? info.verify : TLS_VERIFY_OK;
}

static bool is_full(const struct http_client *c)
{
	return peek(c)->stream.is_full;
}

static uint64_t get_length(const struct http_client *base)
{
	const struct http2_client *c = peek(base);
	const char *length = http_head_get(base->head, "content-length");

	if (c->to_head || (c->stream.is_ended_in && !c->stream.received))
		return 0;
	return length ? strtoull(length, NULL, 10) : UINT64_MAX;
}

static void pause_body(struct http_client *c)
{
	http2_stream_pause(&client_of(c)->stream);
}

static void resume_body(struct http_client *c)
{
	if (peek(c)->stream.is_paused)
		http2_stream_resume(&client_of(c)->stream);
}

static struct stream *handover(struct http_client *c)
{
	(void)c;
	return NULL;
}

static const struct http_client_impl impl = {
	.is_http2 = true,
	.stream = get_stream,
	.is_idle = is_idle,
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
	.close = close_client,
};

/* -- Carriers -- */

static void on_close(struct http2_link *l, int why)
{
	struct http2_carrier *c = carrier_of(l);

	(void)why;
	c->on_close(c, c->data);
	free(c);
}

static const struct http2_link_ops link_ops = {
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
	.on_drain = on_drain,
	.on_gone = on_gone,
	.on_told = on_told,
	.on_tick = on_tick,
	.on_close = on_close,
};

struct http2_carrier *http2_carrier_new(struct stream *s, const struct http_limits *limits,
	http2_carrier_on_close on_closed, void *data)
{
	static const struct stream_ops silent;
	struct http2_carrier *c = calloc(1, sizeof(*c));

	if (!c) {
		stream_set_ops(s, &silent, NULL);
		stream_close(s, -ENOMEM);
		return NULL;
	}
	c->on_close = on_closed;
	c->data = data;
	c->born = uv_now(stream_loop(s));
	if (http2_link_open(&c->link, s, false, &link_ops, limits)) {
		free(c);
		return NULL;
	}
	return c;
}

void *http2_carrier_data(const struct http2_carrier *c)
{
	return c->data;
}

struct stream *http2_carrier_stream(const struct http2_carrier *c)
{
	return c->link.stream;
}

uint64_t http2_carrier_age_ms(const struct http2_carrier *c)
{
	return http2_link_now(&c->link) - c->born;
}

size_t http2_carrier_count(const struct http2_carrier *c)
{
	return c->link.n_streams;
}

bool http2_carrier_has_room(const struct http2_carrier *c)
{
	const struct http2_link *l = &c->link;

	return !l->is_closing && !c->is_draining && l->n_streams < HTTP2_STREAMS_MAX &&
	       l->n_streams < nghttp2_session_get_remote_settings(
				      l->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) &&
	       nghttp2_session_check_request_allowed(l->session);
}

bool http2_carrier_has_refused(const struct http2_carrier *c)
{
	return c->has_refused;
}

struct http_client *http2_carrier_add(struct http2_carrier *carrier)
{
	struct http2_client *c = http2_carrier_has_room(carrier) ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	http2_stream_init(&c->stream, &carrier->link, 0);
	c->base.impl = &impl;
	c->base.head = &c->stream.head;
	c->base.trailers = &c->stream.trailers;
	c->base.born = http2_link_now(&carrier->link);
	return &c->base;
}

void http2_carrier_drain(struct http2_carrier *c)
{
	c->is_draining = true;
	http2_link_drain(&c->link);
}

void http2_carrier_close(struct http2_carrier *c, int why)
{
	http2_link_close(&c->link, why);
}
