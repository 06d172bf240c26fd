/* SPDX-License-Identifier: GPL-3.0-or-later */
/* WebSocket from a client of HTTP/2: the request is one end of the tunnel, the server's connection
 * the other. */
#include "proxyd/upstream_impl.h"
#include "proxyd/websocket.h"
#include <errno.h>

static const struct stream_limits limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 600000,
	.write_ms = 60000,
};

static void on_open(struct stream *s)
{
	(void)s; /* it is when it comes here */
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct exchange *x = stream_data(s);

	if (!x->req || http_response_write(x->req, data, len))
		stream_close(s, -EPIPE);
	else if (http_response_is_full(x->req))
		stream_pause(s);
}

static void on_eof(struct stream *s)
{
	struct exchange *x = stream_data(s);

	/* Ends the exchange, and with it the connection. */
	if (x->req)
		http_response_end(x->req, NULL);
	else
		stream_close(s, 0);
}

static void on_drain(struct stream *s)
{
	const struct exchange *x = stream_data(s);

	if (x->req)
		http_request_resume(x->req);
}

static void on_close(struct stream *s, int why)
{
	struct exchange *x = stream_data(s);

	(void)why;
	x->relay = NULL;
	if (x->req)
		http_response_abort(x->req);
	else
		exchange_free_if_over(x);
}

/* What the client is told in place of 101 (RFC 8441 5). */
static int start_response(struct exchange *x)
{
	struct http_head head;
	int err = http_head_copy(&head, http_client_head(x->client));

	http_head_strip_hop(&head);
	http_head_remove(&head, "Alt-Svc");
	http_head_remove(&head, "Sec-WebSocket-Accept");
	if (!err)
		err = http_head_set_status(&head, 200);
	if (!err)
		err = http_response_start(x->req, &head, HTTP_BODY_CHUNKED, 0);
	http_head_fini(&head);
	return err;
}

void upstream_join_relay(struct exchange *x)
{
	static const struct stream_ops ops = { on_open, on_read, on_eof, on_drain, on_close };
	struct stream *s;

	if (!websocket_is_accepted(http_client_head(x->client), x->websocket_key)) {
		exchange_fail(x, 502, "Bad Answer", "The website's answer cannot be understood.");
		return;
	}
	if (start_response(x)) {
		http_response_abort(x->req);
		return;
	}
	s = http_client_handover(x->client);
	if (!s) {
		http_response_abort(x->req);
		return;
	}
	x->client = NULL;
	x->relay = s;
	stream_set_limits(s, &limits);
	stream_set_ops(s, &ops, x);
	http_request_resume(x->req);
	stream_resume(s);
}

void upstream_relay_write(struct exchange *x, const void *data, size_t len)
{
	if (!stream_write(x->relay, data, len) && stream_is_full(x->relay))
		http_request_pause(x->req);
}
