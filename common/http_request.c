/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections and requests of the server's side, whatever the version. */
#include <errno.h>
#include <string.h>

#include "common/http_server_internal.h"

/* -- Connections -- */

void *http_conn_data(const struct http_conn *c)
{
	return c->data;
}

struct stream *http_conn_stream(const struct http_conn *c)
{
	return c->stream;
}

void http_conn_close(struct http_conn *c, int why)
{
	c->impl->close(c, why);
}

void http_conn_drain(struct http_conn *c)
{
	c->is_draining = true;
	c->impl->drain(c);
}

/* -- Requests -- */

void http_request_finish(struct http_request *req, int why)
{
	struct http_conn *c = req->conn;

	if (!req->is_live)
		return;
	req->is_live = false;
	if (c->ops->on_end)
		c->ops->on_end(req, why);
}

const struct http_head *http_request_head(const struct http_request *req)
{
	return req->head;
}

const struct http_head *http_request_trailers(const struct http_request *req)
{
	return req->trailers;
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
	return req->length;
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

bool http_request_is_http2(const struct http_request *req)
{
	return req->conn->impl->is_http2;
}

bool http_request_wants_upgrade(const struct http_request *req)
{
	const struct http_head *h = http_request_head(req);

	return h->minor && http_head_get(h, "upgrade") &&
	       http_head_has_token(h, "connection", "upgrade");
}

void http_request_continue(struct http_request *req)
{
	if (req->continue_sent || req->head_sent || !http_request_expects_continue(req))
		return;
	req->continue_sent = true;
	req->conn->impl->say_continue(req);
}

void http_request_hold_continue(struct http_request *req)
{
	req->continue_held = true;
}

static bool is_over(const struct http_request *req)
{
	return !req->is_live || req->conn->is_closing;
}

void http_request_pause(struct http_request *req)
{
	if (req->is_paused || is_over(req))
		return;
	req->is_paused = true;
	req->conn->impl->pause(req);
}

void http_request_resume(struct http_request *req)
{
	if (!req->is_paused || is_over(req))
		return;
	req->is_paused = false;
	req->conn->impl->resume(req);
}

/* -- Answers -- */

int http_response_start(struct http_request *req, const struct http_head *head,
	enum http_framing framing, uint64_t len)
{
	if (is_over(req))
		return -EPIPE;
	if (req->head_sent || head->status < 200)
		return -EINVAL;
	return req->conn->impl->start(req, head, framing, len);
}

int http_response_interim(struct http_request *req, const struct http_head *head)
{
	if (is_over(req))
		return -EPIPE;
	if (req->head_sent || head->status < 100 || head->status > 199 || head->status == 101)
		return -EINVAL;
	return req->conn->impl->interim(req, head);
}

int http_response_write(struct http_request *req, const void *data, size_t len)
{
	if (is_over(req))
		return -EPIPE;
	return req->head_sent ? req->conn->impl->write(req, data, len) : -EINVAL;
}

int http_response_end(struct http_request *req, const struct http_head *trailers)
{
	if (is_over(req))
		return -EPIPE;
	return req->head_sent ? req->conn->impl->end(req, trailers) : -EINVAL;
}

void http_response_abort(struct http_request *req)
{
	if (req->is_live)
		req->conn->impl->abort(req);
}

void http_response_cork(struct http_request *req)
{
	if (!is_over(req))
		req->conn->impl->cork(req);
}

void http_response_flush(struct http_request *req)
{
	if (!is_over(req))
		req->conn->impl->flush(req);
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
	return req->conn->stream && req->conn->impl->is_full(req);
}

int http_respond_with(struct http_request *req, int status, const struct http_head *extra,
	const char *content_type, const void *body, size_t len)
{
	struct http_head h;
	int err;

	if (is_over(req))
		return -EPIPE;
	if (req->head_sent || status < 200)
		return -EINVAL;
	http_head_init(&h);
	err = http_head_set_status(&h, status);
	for (size_t i = 0; !err && extra && i < extra->n_headers; i++)
		err = http_head_add(&h, extra->headers[i].name, extra->headers[i].value);
	if (!err && content_type)
		err = http_head_set(&h, "Content-Type", content_type);
	if (!err)
		err = req->conn->impl->respond(req, &h, body, len);
	http_head_fini(&h);
	return err;
}

int http_respond(struct http_request *req, int status, const char *content_type, const void *body,
	size_t len)
{
	return http_respond_with(req, status, NULL, content_type, body, len);
}

struct stream *http_request_handover(struct http_request *req, const struct http_head *head)
{
	if (is_over(req) || req->head_sent || !req->body_done)
		return NULL;
	return req->conn->impl->handover(req, head);
}
