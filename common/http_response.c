/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answering half of the server's side of HTTP/1.1. */
#include <errno.h>
#include <string.h>

#include "common/http_server_internal.h"

static bool has_no_body(const struct http_request *req, int status)
{
	return status == 204 || status == 304 || !strcmp(http_request_head(req)->method, "HEAD");
}

/* Decides framing and whether the connection outlives the response. */
static void plan(struct http_request *req, const struct http_head *head, enum http_framing framing,
	uint64_t len, struct http_framing_lines *f)
{
	struct http1_conn *c = http1_conn_of(req->conn);
	int minor = http_request_head(req)->minor;

	if (framing == HTTP_BODY_CHUNKED && !minor)
		framing = HTTP_BODY_CLOSE;
	req->out = (struct http_body_out){ .framing = framing, .left = len };
	req->out.is_swallowed = has_no_body(req, head->status);
	req->status = head->status;
	if (framing == HTTP_BODY_CLOSE && !req->out.is_swallowed)
		c->close_after = true;
	if (http_head_has_token(head, "connection", "close") || !req->body_done ||
		req->conn->is_draining)
		c->close_after = true;
	f->framing = framing;
	f->len = framing == HTTP_BODY_LENGTH ? len : 0;
	f->say_length = head->status != 204 && head->status != 304;
	if (framing == HTTP_BODY_NONE && req->out.is_swallowed)
		f->say_length = false;
	f->connection = c->close_after ? "close" : minor ? NULL : "keep-alive";
}

int http1_response_start(struct http_request *req, const struct http_head *head,
	enum http_framing framing, uint64_t len)
{
	struct http_framing_lines f = { 0 };
	struct buf b;
	int err;

	plan(req, head, framing, len, &f);
	buf_init(&b, 0);
	err = http_encode_head(&b, head, &f);
	if (!err) {
		req->head_sent = true;
		err = stream_write(req->conn->stream, b.data, b.len);
	}
	buf_fini(&b);
	return err;
}

/* Writes a head that is followed by no body of this message. */
static int write_bare_head(
	struct http_request *req, const struct http_head *head, const char *connection)
{
	struct http_framing_lines f = { .connection = connection };
	struct buf b;
	int err;

	buf_init(&b, 0);
	err = http_encode_head(&b, head, &f);
	if (!err)
		err = stream_write(req->conn->stream, b.data, b.len);
	buf_fini(&b);
	return err;
}

int http1_response_interim(struct http_request *req, const struct http_head *head)
{
	return req->head->minor ? write_bare_head(req, head, NULL) : 0;
}

int http1_response_write(struct http_request *req, const void *data, size_t len)
{
	return http_body_write(&req->out, req->conn->stream, data, len);
}

static void response_done(struct http1_conn *c)
{
	bool body_done = c->req.body_done;

	stream_uncork(c->base.stream);
	http_request_finish(&c->req, 0);
	if (c->base.is_closing || c->base.is_handed)
		return;
	if (c->close_after || !body_done)
		http1_conn_finish(c, 0);
	else
		http1_conn_next(c);
}

int http1_response_end(struct http_request *req, const struct http_head *trailers)
{
	struct http1_conn *c = http1_conn_of(req->conn);
	int err = http_body_end(&req->out, c->base.stream, trailers);

	if (err)
		http1_conn_close(c, err);
	else
		response_done(c);
	return err;
}

void http1_response_abort(struct http_request *req)
{
	http1_conn_close(http1_conn_of(req->conn), -ECANCELED);
}

void http1_response_cork(struct http_request *req)
{
	stream_cork(req->conn->stream);
}

void http1_response_flush(struct http_request *req)
{
	stream_uncork(req->conn->stream);
}

bool http1_response_is_full(const struct http_request *req)
{
	return stream_is_full(req->conn->stream);
}

int http1_respond(
	struct http_request *req, const struct http_head *head, const void *body, size_t len)
{
	struct http_framing_lines f = { 0 };
	struct buf b;
	int err;

	buf_init(&b, 0);
	plan(req, head, HTTP_BODY_LENGTH, len, &f);
	err = http_encode_head(&b, head, &f);
	if (!err && len && !req->out.is_swallowed) {
		err = buf_append(&b, body, len);
		req->out.sent = len;
	}
	if (!err) {
		/* One write: one segment, one TLS record. */
		uint8_t *data = buf_release(&b, &len);

		req->head_sent = true;
		err = stream_write_owned(req->conn->stream, data, len);
		if (!err)
			response_done(http1_conn_of(req->conn));
	}
	buf_fini(&b);
	return err;
}

/* -- Handover -- */

struct stream *http1_request_handover(struct http_request *req, const struct http_head *head)
{
	static const struct stream_ops silent;
	struct http1_conn *c = http1_conn_of(req->conn);
	struct stream *s = c->base.stream;

	if (head && write_bare_head(req, head, head->status == 101 ? "Upgrade" : NULL))
		return NULL;
	stream_pause(s);
	if (c->is_running && stream_unread(s, c->rest, c->rest_len))
		return NULL;
	c->base.is_handed = true;
	c->base.stream = NULL;
	c->rest_len = 0;
	stream_set_ops(s, &silent, NULL);
	stream_set_limits(s, &c->stream_limits);
	http_request_finish(req, 0);
	uv_close((uv_handle_t *)&c->timer, http1_conn_on_timer_closed);
	return s;
}
