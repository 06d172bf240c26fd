/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/carriers.h"
#include "proxyd/connect.h"
#include "proxyd/filter.h"
#include "proxyd/judge.h"
#include "proxyd/load.h"
#include "proxyd/pool.h"
#include "proxyd/scouts.h"
#include "proxyd/upstream_impl.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void start_dial(struct exchange *x);

/* ---- the request ---- */

/* The client's head as the server gets it. */
static int build_request(struct exchange *x, struct http_head *out)
{
	const struct http_head *head = http_request_head(x->req);
	bool is_default = x->target.port == (x->target.is_https ? 443 : 80);
	bool v6 = strchr(x->target.host, ':');
	char host[TARGET_HOST_LEN + 10], hops[24];
	int err = http_head_copy(out, head);

	snprintf(host, sizeof(host), is_default ? "%s%s%s" : "%s%s%s:%u", v6 ? "[" : "",
		x->target.host, v6 ? "]" : "", x->target.port);
	if (!err)
		err = http_head_set_request(out, head->method, x->path);
	http_head_strip_hop(out);
	http_head_remove(out, "Proxy-Authorization");
	if (!http_request_expects_continue(x->req))
		http_head_remove(out, "Expect");
	if (!err)
		err = http_head_set(out, "Host", host);
	if (!err && judge_hops_left(head) > 0) {
		snprintf(hops, sizeof(hops), "%" PRId64, judge_hops_left(head) - 1);
		err = http_head_set(out, "Max-Forwards", hops);
	}
	/* gRPC's servers look for it; to HTTP/1.1 it would be a promise about this connection. */
	if (!err && http_client_is_http2(x->client) && http_head_has_token(head, "TE", "trailers"))
		err = http_head_set(out, "TE", "trailers");
	if (!err && x->is_upgrade)
		err = http_head_set(out, "Connection", "Upgrade");
	if (!err && x->is_upgrade)
		err = http_head_set(out, "Upgrade", "websocket");
	if (!err && x->is_upgrade && http_request_is_http2(x->req))
		err = websocket_add_key(out, x->websocket_key);
	return err ? err : filter_prepare(x, out);
}

static void send_request(struct exchange *x)
{
	uint64_t len = http_request_length(x->req);
	enum http_framing framing = HTTP_BODY_NONE;
	struct http_head head;
	int err;

	if (len)
		framing = len == UINT64_MAX ? HTTP_BODY_CHUNKED : HTTP_BODY_LENGTH;
	http_head_init(&head);
	err = build_request(x, &head);
	if (!err)
		err = http_client_send(x->client, &head, framing, len);
	http_head_fini(&head);
	if (err) {
		exchange_fail(x, 502, "Connection Failed", "The request could not be sent on.");
		return;
	}
	x->request_sent = true;
	/* What follows an extended CONNECT is for after the answer. */
	if (!x->is_upgrade || !http_request_is_http2(x->req))
		http_request_resume(x->req);
}

void upstream_write(struct exchange *x, const void *data, size_t len)
{
	if (x->relay) {
		upstream_relay_write(x, data, len);
		return;
	}
	if (!x->client || !x->request_sent)
		return;
	/* An error closes the connection, and comes back as that. */
	http_client_write(x->client, data, len);
	if (http_client_is_full(x->client))
		http_request_pause(x->req);
}

/* Without fields that are the head's (RFC 9110 6.5.1), where they were judged: a server may make
 * one head of both. */
static void end_request(struct exchange *x, const struct http_head *trailers)
{
	static const char *const heads[] = { "host", "authorization", "cookie", "range", "expect",
		"max-forwards", "youtube-restrict", "accept-encoding", "content-encoding",
		"content-type", "content-range" };
	struct http_head kept;

	if (http_head_copy(&kept, trailers)) {
		http_client_end(x->client, NULL);
		return;
	}
	http_head_strip_hop(&kept);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		http_head_remove(&kept, heads[i]);
	http_client_end(x->client, &kept);
	http_head_fini(&kept);
}

void upstream_end(struct exchange *x)
{
	if (x->relay)
		stream_shutdown(x->relay);
	else if (x->client && x->request_sent)
		end_request(x, http_request_trailers(x->req));
}

void upstream_resume(struct exchange *x)
{
	if (x->relay)
		stream_resume(x->relay);
	else if (x->filter)
		filter_resume(x->filter);
	else if (x->client)
		http_client_resume(x->client);
}

void upstream_stop(struct exchange *x, int why)
{
	if (x->dial)
		dial_cancel(x->dial);
	x->dial = NULL;
	scouts_leave(x);
	if (!x->req)
		filter_close(x->filter);
	if (x->client)
		http_client_close(x->client, why);
	if (x->relay)
		stream_close(x->relay, why);
}

static void on_client_drain(struct http_client *c)
{
	const struct exchange *x = http_client_data(c);

	if (x->req)
		http_request_resume(x->req);
}

/* ---- its end ---- */

/* May the request be sent again when nobody knows whether it was carried out (RFC 9110 9.2.2), and
 * can it (there is no body that is gone)? */
static bool is_repeatable(const struct exchange *x)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND" };
	const char *method = http_request_head(x->req)->method;

	if (http_request_length(x->req) || x->is_upgrade)
		return false;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (!strcmp(method, methods[i]))
			return true;
	}
	return false;
}

/* A kept connection ended instead of answering: the server had closed it. */
static bool may_repeat(struct exchange *x, const struct http_client *c, int why)
{
	if (!x->is_reused || x->was_repeated || http_client_is_answered(c) || why == -ETIMEDOUT ||
		why == -EAGAIN || !is_repeatable(x) || exchange_is_answered(x) || x->p->stopping)
		return false;
	return x->was_repeated = true;
}

/* Is the request to be sent once more, since the server says that it did nothing for it? HTTP/1.1
 * is what it asks for, or it had no room (RFC 9113 8.7). */
static bool is_sent_back(struct exchange *x, int why)
{
	if (exchange_is_answered(x) || x->p->stopping)
		return false;
	if (why == -EOPNOTSUPP && !x->needs_http1 && is_repeatable(x))
		return x->needs_http1 = true;
	if (why == -EAGAIN && !x->was_refused && !http_request_length(x->req))
		return x->was_refused = true;
	return false;
}

static void on_client_close(struct http_client *c, int why)
{
	struct exchange *x = http_client_data(c);

	x->client = NULL;
	if (!x->req) {
		exchange_free_if_over(x);
		return;
	}
	/* The answer is whole, but still on its way through its stages. */
	if (x->filter && filter_has_ended(x->filter))
		return;
	if (is_sent_back(x, why) || x->sends_again || may_repeat(x, c, why)) {
		x->sends_again = false;
		x->is_reused = x->is_bound = false;
		x->request_sent = false;
		/* Of many that were refused, one connects for all. */
		if (why == -EAGAIN)
			upstream_wake(x);
		else
			start_dial(x);
		return;
	}
	if (why == -ETIMEDOUT)
		exchange_fail(x, 504, "No Answer", "The website did not answer in time.");
	else if (why == -EBADMSG || why == -EMSGSIZE)
		exchange_fail(x, 502, "Bad Answer", "The website's answer cannot be understood.");
	else if (why || !exchange_is_answered(x))
		exchange_fail(x, 502, "Connection Failed", "The website broke the connection off.");
}

static const struct http_client_ops client_ops = {
	.on_response = upstream_on_response,
	.on_interim = upstream_on_interim,
	.on_body = upstream_on_body,
	.on_response_end = upstream_on_end,
	.on_drain = on_client_drain,
	.on_told = upstream_on_told,
	.on_close = on_client_close,
};

/* ---- connecting ---- */

static bool speaks_http2(const struct stream *s)
{
	struct tls_info tls;

	return stream_tls_info(s, &tls) && tls.alpn && !strcmp(tls.alpn, "h2");
}

static void on_dialed(void *arg, struct stream *stream, const struct dial_error *err)
{
	struct exchange *x = arg;
	const struct http_limits limits = {
		.header_ms = (uint32_t)x->p->conf->answer_s * 1000,
		.body_idle_ms = (uint32_t)x->p->conf->idle_s * 1000,
	};

	x->dial = NULL;
	if (err) {
		struct scout *scout = scouts_detach(x);

		exchange_fail(x, err->status, err->title, err->message);
		scouts_fail(scout, err);
		return;
	}
	if (x->wants_tunnel) {
		upstream_join_connect(x, stream);
		return;
	}
	if (speaks_http2(stream)) {
		x->client = carriers_put(x->p, &x->target, &x->s->device, stream, &limits);
	} else {
		if (x->scout)
			scouts_note_http1(x->p, &x->target);
		x->client = http_client_new(stream, &client_ops, &limits, x);
	}
	scouts_leave(x);
	if (!x->client) {
		exchange_fail(x, 502, "Connection Failed", "The gateway has no memory left.");
		return;
	}
	http_client_set_ops(x->client, &client_ops, x);
	send_request(x);
}

/* WebSocket takes a connection of its own. */
static bool is_http1_only(const struct exchange *x)
{
	return x->is_upgrade || x->needs_http1;
}

/* May what it dials carry others' requests, or they its? */
static bool may_share(const struct exchange *x)
{
	return x->target.is_https && !x->wants_tunnel && !is_http1_only(x) &&
	       !connect_needs_reach(x->p, &x->s->device, x->target.host);
}

static void start_dial(struct exchange *x)
{
	const struct session *s = x->s;
	struct tls_ctx *tls = NULL;
	struct connect_target to = {
		.device = &s->device,
		.host = x->target.host,
		.port = x->target.port,
		.original = session_is_intercepted(s) ? &s->original.addr : NULL,
		.is_undecrypted = x->wants_tunnel,
	};

	if (may_share(x) && scouts_wait(x))
		return;
	if (x->target.is_https && !x->wants_tunnel)
		tls = is_http1_only(x) ? x->p->upstream_http1_tls : x->p->upstream_tls;
	x->dial = dial_start(x->p, &to, tls, on_dialed, x);
	if (x->dial)
		return;
	scouts_leave(x);
	exchange_fail(x, 502, "Connection Failed", "The gateway has no memory left.");
}

/* How long ago a connection may have been used when the request cannot be repeated: servers keep
 * theirs for five seconds and more. */
#define FRESH_MS 2000

static struct http_client *take_client(struct exchange *x)
{
	struct http_client *c = session_take_idle(x->s, &x->target);

	x->is_bound = c;
	if (c || x->is_upgrade || connect_needs_reach(x->p, &x->s->device, x->target.host))
		return c;
	if (x->target.is_https)
		c = carriers_take(x->p, &x->target, &x->s->device, x->was_refused);
	if (c || x->was_refused)
		return c;
	return pool_take(x->p->pool, &x->target, &x->s->device, is_repeatable(x) ? 0 : FRESH_MS);
}

void upstream_wake(struct exchange *x)
{
	if (!x->wants_tunnel)
		x->client = take_client(x);
	if (!x->client) {
		start_dial(x);
		return;
	}
	x->is_reused = true;
	x->p->reused++;
	http_client_set_ops(x->client, &client_ops, x);
	send_request(x);
}

void upstream_start(struct exchange *x)
{
	x->load = load_take_request(x->s->load);
	if (!x->load) {
		exchange_fail(x, 503, "Too Many Requests",
			"This device has too many requests under way.");
		return;
	}
	upstream_wake(x);
}
