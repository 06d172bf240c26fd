/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/upstream.h"
#include "common/log.h"
#include "proxyd/filter.h"
#include "proxyd/judge.h"
#include "proxyd/page.h"
#include "proxyd/pool.h"
#include "proxyd/tunnel.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
	if (!err && x->is_upgrade)
		err = http_head_set(out, "Connection", "Upgrade");
	if (!err && x->is_upgrade)
		err = http_head_set(out, "Upgrade", "websocket");
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
	http_request_resume(x->req);
}

void upstream_write(struct exchange *x, const void *data, size_t len)
{
	if (!x->client || !x->request_sent)
		return;
	/* An error closes the connection, and comes back as that. */
	http_client_write(x->client, data, len);
	if (http_client_is_full(x->client))
		http_request_pause(x->req);
}

void upstream_end(struct exchange *x)
{
	if (x->client && x->request_sent)
		http_client_end(x->client, http_request_trailers(x->req));
}

void upstream_resume(struct exchange *x)
{
	if (x->filter)
		filter_resume(x->filter);
	else if (x->client)
		http_client_resume(x->client);
}

void upstream_stop(struct exchange *x, int why)
{
	if (x->dial)
		dial_cancel(x->dial);
	x->dial = NULL;
	if (!x->req)
		filter_close(x->filter);
	if (x->client)
		http_client_close(x->client, why);
}

static void on_client_drain(struct http_client *c)
{
	const struct exchange *x = http_client_data(c);

	if (x->req)
		http_request_resume(x->req);
}

/* ---- the response ---- */

/* The server's head as the client gets it. */
static int make_response_head(const struct http_head *from, struct http_head *out)
{
	int err = http_head_copy(out, from);

	http_head_strip_hop(out);
	/* Another way to the same site that would not come through here. */
	http_head_remove(out, "Alt-Svc");
	http_head_remove(out, "Alternate-Protocol");
	return err;
}

static enum http_framing response_framing(const struct exchange *x, uint64_t *len)
{
	const struct http_head *head = http_client_head(x->client);
	const char *length = http_head_get(head, "Content-Length");

	*len = http_client_length(x->client);
	if (!strcmp(http_request_head(x->req)->method, "HEAD")) {
		*len = length ? strtoull(length, NULL, 10) : 0;
		return length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	}
	if (*len == UINT64_MAX)
		return HTTP_BODY_CHUNKED;
	return *len || length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
}

/* What it was judged by; the path is NULL for CONNECT. */
static struct tunnel_terms terms_of(
	const struct session *s, const struct target *t, const char *path)
{
	return (struct tunnel_terms){
		.device = s->device,
		.path = session_is_intercepted(s) ? POLICY_PATH_INTERCEPT : POLICY_PATH_PROXY,
		.host = t->host,
		.rest = path,
	};
}

/* 101: both connections become one tunnel. The path is the caller's, since the exchange ends. */
static void join_upgrade_of(struct exchange *x, const char *path)
{
	struct proxy *p = x->p;
	struct session *s = x->s;
	struct target target = x->target;
	struct tunnel_terms terms = terms_of(s, &target, path);
	struct stream *client, *server;
	struct http_head head;
	int err;

	http_head_init(&head);
	err = http_head_copy(&head, http_client_head(x->client));
	http_head_remove(&head, "Alt-Svc");
	server = err ? NULL : http_client_handover(x->client);
	if (server)
		x->client = NULL;
	client = server ? http_request_handover(x->req, &head) : NULL;
	http_head_fini(&head);
	if (!client) {
		if (server)
			stream_close(server, -EPROTO);
		http_conn_close(s->conn, -EPROTO);
		return;
	}
	/* The request's on_end has freed the exchange; the session's connection is gone too. */
	tunnel_start(p, client, server, NULL, &terms, session_forget(s));
}

static void join_upgrade(struct exchange *x)
{
	char *path = x->path;

	x->path = NULL;
	join_upgrade_of(x, path);
	free(path);
}

/* 100 Continue, Early Hints and their like: on to whoever may understand them. */
static void on_interim(struct http_client *c, const struct http_head *from)
{
	struct exchange *x = http_client_data(c);
	struct http_head head;

	if (!x->req || http_response_started(x->req))
		return;
	if (from->status == 100) {
		http_request_continue(x->req);
		return;
	}
	if (!make_response_head(from, &head))
		http_response_interim(x->req, &head);
	http_head_fini(&head);
}

/* 101 that nobody asked for; 407, which would have a browser ask for a password for us. */
static bool is_misplaced(const struct exchange *x, const struct http_head *head)
{
	if (head->status == 101)
		return !x->is_upgrade || !judge_is_websocket(head);
	return head->status == 407;
}

/* The head, with its body to follow, or another answer in its place. */
static int pass_response(struct exchange *x)
{
	const struct http_head *answer = http_client_head(x->client);
	enum http_framing framing;
	struct http_head head;
	uint64_t len;
	int err;

	err = make_response_head(answer, &head);
	framing = response_framing(x, &len);
	/* The head goes out with what comes with it. */
	http_response_cork(x->req);
	if (!err)
		err = filter_begin(x, answer, &head, &framing);
	if (err == FILTER_PASS || err == FILTER_TAKES)
		err = http_response_start(x->req, &head, framing, len);
	http_head_fini(&head);
	return err;
}

static void on_response(struct http_client *c)
{
	struct exchange *x = http_client_data(c);
	int err;

	if (!x->req)
		return;
	if (is_misplaced(x, http_client_head(c))) {
		exchange_fail(x, 502, "Bad Answer", "The website's answer cannot be understood.");
		return;
	}
	if (http_client_head(c)->status == 101) {
		join_upgrade(x);
		return;
	}
	if (judge_is_dns_message(http_client_head(c))) {
		x->p->blocked++;
		page_send_error(&x->p->pages, x->req, 451, "Site Blocked",
			"DNS over HTTPS is blocked.", x->url);
		return;
	}
	err = pass_response(x);
	if (err == FILTER_REPEAT) {
		x->drops_range = x->sends_again = true;
		http_client_close(c, 0);
	} else if (err == FILTER_REFUSE) {
		exchange_fail(x, 503, "Not Ready", "The website's answer cannot be filtered now.");
	} else if (err) {
		exchange_fail(x, 502, "Bad Answer", "The website's answer cannot be passed on.");
	}
}

static void on_told(struct http_client *c)
{
	const struct exchange *x = http_client_data(c);

	if (x->req)
		http_response_flush(x->req);
}

static void on_response_body(struct http_client *c, const void *data, size_t len)
{
	struct exchange *x = http_client_data(c);

	if (!x->req || !http_response_started(x->req))
		return;
	if (x->filter) {
		filter_write(x->filter, data, len);
		return;
	}
	if (http_response_write(x->req, data, len)) {
		http_response_abort(x->req);
		return;
	}
	if (http_response_is_full(x->req))
		http_client_pause(c);
}

/* Authentication that is the connection's, not the request's (RFC 4559 6, and NTLM). */
static bool has_bound_scheme(const struct http_head *head, const char *name)
{
	for (size_t i = 0; (i = http_head_find(head, name, i)) < head->n_headers; i++) {
		const char *value = head->headers[i].value;

		if (!strncasecmp(value, "NTLM", 4) || !strncasecmp(value, "Negotiate", 9))
			return true;
	}
	return false;
}

/* At rest: for the next request of this client if the connection knows it, else of anybody. */
static void keep_client(struct exchange *x)
{
	struct http_client *c = x->client;

	if (x->is_upgrade || x->p->stopping)
		return;
	x->client = NULL;
	x->is_bound = x->is_bound || has_bound_scheme(http_client_head(c), "WWW-Authenticate") ||
		      has_bound_scheme(http_request_head(x->req), "Authorization");
	if (x->is_bound)
		session_put_idle(x->s, &x->target, c);
	else
		pool_put(x->p->pool, &x->target, &x->s->device, c);
}

static void on_response_end(struct http_client *c)
{
	struct exchange *x = http_client_data(c);
	struct http_request *req = x->req;

	if (!req || !http_response_started(req))
		return;
	if (x->request_ended && http_client_is_idle(c))
		keep_client(x);
	if (x->filter) {
		filter_end(x->filter);
		return;
	}
	/* Ends the exchange, too. An error closes the client's connection, which does so as well.
	 */
	http_response_end(req, http_client_trailers(c));
}

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
static bool may_repeat(const struct exchange *x, const struct http_client *c, int why)
{
	return x->is_reused && !http_client_is_answered(c) && why != -ETIMEDOUT &&
	       is_repeatable(x) && !exchange_is_answered(x) && !x->p->stopping;
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
	if (x->sends_again || may_repeat(x, c, why)) {
		x->sends_again = false;
		x->is_reused = x->is_bound = false;
		x->request_sent = false;
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
	.on_response = on_response,
	.on_interim = on_interim,
	.on_body = on_response_body,
	.on_response_end = on_response_end,
	.on_drain = on_client_drain,
	.on_told = on_told,
	.on_close = on_client_close,
};

/* ---- connecting ---- */

static void start_tunnel(struct exchange *x, struct stream *server)
{
	struct proxy *p = x->p;
	struct session *s = x->s;
	struct target target = x->target;
	struct tunnel_terms terms = terms_of(s, &target, NULL);
	struct http_head ok;
	struct stream *client = NULL;

	http_head_init(&ok);
	if (!http_head_set_status(&ok, 200))
		client = http_request_handover(x->req, &ok);
	http_head_fini(&ok);
	if (!client) {
		stream_close(server, -EPROTO);
		http_conn_close(s->conn, -EPROTO);
		return;
	}
	tunnel_start(p, client, server, target.host, &terms, session_forget(s));
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
		exchange_fail(x, err->status, err->title, err->message);
		return;
	}
	if (x->wants_tunnel) {
		start_tunnel(x, stream);
		return;
	}
	x->client = http_client_new(stream, &client_ops, &limits, x);
	if (!x->client) {
		exchange_fail(x, 502, "Connection Failed", "The gateway has no memory left.");
		return;
	}
	send_request(x);
}

static void start_dial(struct exchange *x)
{
	const struct session *s = x->s;
	struct connect_target to = {
		.device = &s->device,
		.host = x->target.host,
		.port = x->target.port,
		.original = session_is_intercepted(s) ? &s->original.addr : NULL,
	};

	x->dial = dial_start(x->p, &to, x->target.is_https && !x->wants_tunnel, on_dialed, x);
	if (!x->dial)
		exchange_fail(x, 502, "Connection Failed", "The gateway has no memory left.");
}

/* How long ago a connection may have been used when the request cannot be repeated: servers keep
 * theirs for five seconds and more. */
#define FRESH_MS 2000

static struct http_client *take_client(struct exchange *x)
{
	struct http_client *c = session_take_idle(x->s, &x->target);

	x->is_bound = c;
	if (c || x->is_upgrade)
		return c;
	return pool_take(x->p->pool, &x->target, &x->s->device, is_repeatable(x) ? 0 : FRESH_MS);
}

void upstream_start(struct exchange *x)
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
