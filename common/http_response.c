/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answering half of the server's side. */
#include <errno.h>
#include <string.h>

#include "common/http_server_internal.h"

static int check_answerable(const struct http_request *req)
{
	return !req->is_live || req->conn->is_closing ? -EPIPE : 0;
}

static bool has_no_body(const struct http_request *req, int status)
{
	return status == 204 || status == 304 || !strcmp(http_request_head(req)->method, "HEAD");
}

/* Decides framing and whether the connection outlives the response. */
static void plan(struct http_request *req, const struct http_head *head, enum http_framing framing,
	uint64_t len, struct http_framing_lines *f)
{
	struct http_conn *c = req->conn;
	int minor = http_request_head(req)->minor;

	if (framing == HTTP_BODY_CHUNKED && !minor)
		framing = HTTP_BODY_CLOSE;
	req->out = (struct http_body_out){ .framing = framing, .left = len };
	req->out.is_swallowed = has_no_body(req, head->status);
	req->status = head->status;
	if (framing == HTTP_BODY_CLOSE && !req->out.is_swallowed)
		c->close_after = true;
	if (http_head_has_token(head, "connection", "close") || !req->body_done || c->is_draining)
		c->close_after = true;
	f->framing = framing;
	f->len = framing == HTTP_BODY_LENGTH ? len : 0;
	f->say_length = head->status != 204 && head->status != 304;
	if (framing == HTTP_BODY_NONE && req->out.is_swallowed)
		f->say_length = false;
	f->connection = c->close_after ? "close" : minor ? NULL : "keep-alive";
}

int http_response_start(struct http_request *req, const struct http_head *head,
	enum http_framing framing, uint64_t len)
{
	struct http_framing_lines f = { 0 };
	struct buf b;
	int err = check_answerable(req);

	if (err)
		return err;
	if (req->head_sent || head->status < 200)
		return -EINVAL;
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

int http_response_interim(struct http_request *req, const struct http_head *head)
{
	int err = check_answerable(req);

	if (err)
		return err;
	if (req->head_sent || head->status < 100 || head->status > 199 || head->status == 101)
		return -EINVAL;
	return http_request_head(req)->minor ? write_bare_head(req, head, NULL) : 0;
}

int http_response_write(struct http_request *req, const void *data, size_t len)
{
	int err = check_answerable(req);

	if (err)
		return err;
	if (!req->head_sent)
		return -EINVAL;
	return http_body_write(&req->out, req->conn->stream, data, len);
}

static void response_done(struct http_conn *c)
{
	bool body_done = c->req.body_done;

	stream_uncork(c->stream);
	http_conn_end_request(c, 0);
	if (c->is_closing || c->is_handed)
		return;
	if (c->close_after || !body_done)
		http_conn_finish(c, 0);
	else
		http_conn_next(c);
}

int http_response_end(struct http_request *req, const struct http_head *trailers)
{
	struct http_conn *c = req->conn;
	int err = check_answerable(req);

	if (err)
		return err;
	if (!req->head_sent)
		return -EINVAL;
	err = http_body_end(&req->out, c->stream, trailers);
	if (err) {
		http_conn_close(c, err);
		return err;
	}
	response_done(c);
	return 0;
}

void http_response_abort(struct http_request *req)
{
	if (req->is_live)
		http_conn_close(req->conn, -ECANCELED);
}

void http_response_cork(struct http_request *req)
{
	if (!check_answerable(req))
		stream_cork(req->conn->stream);
}

void http_response_flush(struct http_request *req)
{
	if (!check_answerable(req))
		stream_uncork(req->conn->stream);
}

bool http_response_started(const struct http_request *req)
{
	return req->head_sent;
}

int http_response_status(const struct http_request *req)
{
	return req->status;
}

uint64_t http_response_sent(const struct http_request *req)
{
	return req->out.sent;
}

bool http_response_is_full(const struct http_request *req)
{
	return req->conn->stream && stream_is_full(req->conn->stream);
}

int http_respond_with(struct http_request *req, int status, const struct http_head *extra,
	const char *content_type, const void *body, size_t len)
{
	struct http_framing_lines f = { 0 };
	struct http_head h;
	struct buf b;
	int err = check_answerable(req);

	if (err)
		return err;
	if (req->head_sent || status < 200)
		return -EINVAL;
	http_head_init(&h);
	buf_init(&b, 0);
	err = http_head_set_status(&h, status);
	for (size_t i = 0; !err && extra && i < extra->n_headers; i++)
		err = http_head_add(&h, extra->headers[i].name, extra->headers[i].value);
	if (!err && content_type)
		err = http_head_set(&h, "Content-Type", content_type);
	if (!err) {
		plan(req, &h, HTTP_BODY_LENGTH, len, &f);
		err = http_encode_head(&b, &h, &f);
	}
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
			response_done(req->conn);
	}
	buf_fini(&b);
	http_head_fini(&h);
	return err;
}

int http_respond(struct http_request *req, int status, const char *content_type, const void *body,
	size_t len)
{
	return http_respond_with(req, status, NULL, content_type, body, len);
}

/* -- Handover -- */

struct stream *http_request_handover(struct http_request *req, const struct http_head *head)
{
	static const struct stream_ops silent;
	struct http_conn *c = req->conn;
	struct stream *s = c->stream;

	if (check_answerable(req) || req->head_sent || !req->body_done)
		return NULL;
	if (head && write_bare_head(req, head, head->status == 101 ? "Upgrade" : NULL))
		return NULL;
	stream_pause(s);
	if (c->is_running && stream_unread(s, c->rest, c->rest_len))
		return NULL;
	c->is_handed = true;
	c->stream = NULL;
	c->rest_len = 0;
	stream_set_ops(s, &silent, NULL);
	stream_set_limits(s, &c->stream_limits);
	http_conn_end_request(c, 0);
	uv_close((uv_handle_t *)&c->timer, http_conn_on_timer_closed);
	return s;
}
