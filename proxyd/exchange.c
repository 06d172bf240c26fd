/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/exchange.h"
#include "common/log.h"
#include "common/timer.h"
#include "proxyd/dial.h"
#include "proxyd/own.h"
#include "proxyd/page.h"
#include "proxyd/tunnel.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_LEN 1024

/* Two legs, each with callbacks of its own; it is freed when both are gone. */
struct exchange {
	struct list node;
	struct session *s;
	struct http_request *req; /* the client's leg; NULL after its on_end */
	struct http_client *client; /* the server's leg; NULL before it and after its end */
	struct dial *dial; /* while connecting */
	struct target target;
	char *path; /* origin-form of the target */
	char url[URL_LEN]; /* for pages, cut */
	bool is_connect;
	bool wants_tunnel; /* CONNECT that is passed through undecrypted */
	bool is_upgrade;
	bool request_sent; /* the head went to the server */
	bool request_ended; /* the client's body is whole */
	bool is_reused; /* over a connection kept from before: one retry is due */
};

static void free_if_over(struct exchange *x)
{
	if (x->req || x->client || x->dial)
		return;
	list_remove(&x->node);
	free(x->path);
	free(x);
}

static bool is_answered(const struct exchange *x)
{
	return !x->req || http_response_started(x->req);
}

/* An answer of our own; whatever runs upstream ends. */
static void fail(struct exchange *x, int status, const char *title, const char *message)
{
	x->s->p->failed++;
	if (!x->req)
		return;
	if (is_answered(x)) {
		http_response_abort(x->req);
		return;
	}
	page_send_error(x->req, status, title, message, x->url);
}

/* ---- target ---- */

/* What the request is for. NULL = good, else the reason; *status is set then. */
static const char *find_target(struct exchange *x, const struct http_head *head, int *status)
{
	const struct session *s = x->s;
	const char *host_header = http_head_get(head, "Host");
	struct target host;

	*status = 400;
	if (s->is_inner) {
		x->target = s->target;
		x->target.path = head->target;
		if (*head->target != '/' && strcmp(head->target, "*"))
			return "The request's target must be a path.";
		if (!host_header ||
			target_parse_host(host_header, s->target.is_https ? 443 : 80, &host))
			return "The Host header is wrong.";
		*status = 421;
		if (s->is_mismatched || strcmp(host.host, s->target.host) ||
			host.port != s->target.port)
			return "The request is for another website than its connection.";
		return NULL;
	}
	if (target_parse_url(head->target, &x->target))
		return "The request's target is not a web address.";
	if (x->target.is_https)
		return "Websites with https are reached by CONNECT.";
	if (host_header && target_parse_host(host_header, 80, &host))
		return "The Host header is wrong.";
	*status = 421;
	if (host_header && (strcmp(host.host, x->target.host) || host.port != x->target.port))
		return "The Host header names another website than the request's target.";
	return NULL;
}

static void make_url(struct exchange *x)
{
	bool is_default = x->target.port == (x->target.is_https ? 443 : 80);
	char port[8] = "";

	if (!is_default)
		snprintf(port, sizeof(port), ":%u", x->target.port);
	snprintf(x->url, sizeof(x->url), "%s://%s%s%s", x->target.is_https ? "https" : "http",
		x->target.host, port, x->path ? x->path : "/");
}

static void judge(struct exchange *x, bool host_only, struct decision *d)
{
	struct proxy *p = x->s->p;
	struct policy_query q = {
		.path = POLICY_PATH_PROXY,
		.host = x->target.host,
		.host_len = strlen(x->target.host),
		.rest = host_only ? NULL : x->path,
		.rest_len = host_only ? 0 : strlen(x->path),
	};

	policy_decide(p->policy, proxy_device(p, &x->s->device), &q, clock_wall_ms(), d);
}

static bool is_allowed(const struct decision *d)
{
	return d->verdict == VERDICT_ALLOW || d->verdict == VERDICT_PASS;
}

/* DNS over HTTPS is a way round the DNS filter, whatever its name (SPEC P15). */
static bool is_dns_message(const struct http_head *head)
{
	const char *type = http_head_get(head, "Content-Type");

	return type && !strncasecmp(type, "application/dns-message", 23);
}

static bool asks_for_dns(const struct http_head *head)
{
	const char *accept = http_head_get(head, "Accept");

	return is_dns_message(head) || (accept && strcasestr(accept, "application/dns-message"));
}

/* ---- server's leg ---- */

/* The client's head as the server gets it. */
static int build_request(struct exchange *x, struct http_head *out)
{
	const struct http_head *head = http_request_head(x->req);
	bool is_default = x->target.port == (x->target.is_https ? 443 : 80);
	bool v6 = strchr(x->target.host, ':');
	char host[TARGET_HOST_LEN + 10];
	char upgrade[128] = "";
	int err = http_head_copy(out, head);

	if (x->is_upgrade)
		snprintf(upgrade, sizeof(upgrade), "%s", http_head_get(head, "Upgrade"));
	snprintf(host, sizeof(host), is_default ? "%s%s%s" : "%s%s%s:%u", v6 ? "[" : "",
		x->target.host, v6 ? "]" : "", x->target.port);
	if (!err)
		err = http_head_set_request(out, head->method, x->path);
	http_head_strip_hop(out);
	http_head_remove(out, "Proxy-Authorization");
	http_head_remove(out, "Expect");
	if (!err)
		err = http_head_set(out, "Host", host);
	if (!err && x->is_upgrade) {
		err = http_head_set(out, "Connection", "Upgrade");
		if (!err)
			err = http_head_set(out, "Upgrade", upgrade);
	}
	return err;
}

static void send_request(struct exchange *x)
{
	uint64_t len = http_request_length(x->req);
	enum http_framing framing = len == UINT64_MAX ? HTTP_BODY_CHUNKED :
		len				      ? HTTP_BODY_LENGTH :
							HTTP_BODY_NONE;
	struct http_head head;
	int err;

	http_head_init(&head);
	err = build_request(x, &head);
	if (!err)
		err = http_client_send(x->client, &head, framing, len);
	http_head_fini(&head);
	if (err) {
		fail(x, 502, "Connection Failed", "The request could not be sent on.");
		return;
	}
	x->request_sent = true;
	if (framing == HTTP_BODY_NONE)
		http_client_end(x->client, NULL);
	http_request_resume(x->req);
}

static void on_open(struct http_client *c)
{
	send_request(http_client_data(c));
}

/* The server's head as the client gets it. */
static int build_response(const struct http_client *c, struct http_head *out)
{
	int err = http_head_copy(out, http_client_head(c));

	http_head_strip_hop(out);
	/* Another way to the same site that would not come through here. */
	http_head_remove(out, "Alt-Svc");
	return err;
}

static enum http_framing response_framing(const struct exchange *x, uint64_t *len)
{
	const struct http_head *head = http_client_head(x->client);
	const char *length = http_head_get(head, "Content-Length");

	*len = http_client_length(x->client);
	if (!strcmp(http_request_head(x->req)->method, "HEAD") && length) {
		*len = strtoull(length, NULL, 10);
		return HTTP_BODY_LENGTH;
	}
	if (*len == UINT64_MAX)
		return HTTP_BODY_CHUNKED;
	return *len || length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
}

/* 101: both connections become one tunnel. */
static void join_upgrade(struct exchange *x)
{
	struct proxy *p = x->s->p;
	struct session *s = x->s;
	struct http_client *c = x->client;
	struct stream *client, *server;
	struct http_head head;

	http_head_init(&head);
	http_head_copy(&head, http_client_head(c));
	x->client = NULL;
	server = http_client_handover(c);
	client = server ? http_request_handover(x->req, &head) : NULL;
	http_head_fini(&head);
	if (!client) {
		if (server)
			stream_close(server, -EPROTO);
		http_conn_close(s->conn, -EPROTO);
		return;
	}
	/* The request's on_end has freed the exchange; the session's connection is gone too. */
	tunnel_start(p, client, server);
	session_forget(s);
}

static void on_response(struct http_client *c)
{
	struct exchange *x = http_client_data(c);
	struct http_head head;
	enum http_framing framing;
	uint64_t len;
	int err;

	if (!x->req)
		return;
	if (http_client_head(c)->status == 101) {
		if (x->is_upgrade)
			join_upgrade(x);
		else
			fail(x, 502, "Bad Answer", "The website's answer cannot be understood.");
		return;
	}
	if (is_dns_message(http_client_head(c))) {
		page_send_error(x->req, 451, "Site Blocked", "DNS over HTTPS is blocked.", x->url);
		return;
	}
	http_head_init(&head);
	err = build_response(c, &head);
	framing = response_framing(x, &len);
	if (!err)
		err = http_response_start(x->req, &head, framing, len);
	http_head_fini(&head);
	if (err)
		fail(x, 502, "Bad Answer", "The website's answer cannot be passed on.");
}

static void on_response_body(struct http_client *c, const void *data, size_t len)
{
	struct exchange *x = http_client_data(c);

	if (!x->req || !http_response_started(x->req))
		return;
	if (http_response_write(x->req, data, len)) {
		http_response_abort(x->req);
		return;
	}
	if (x->req && http_response_is_full(x->req))
		http_client_pause(c);
}

static void on_response_end(struct http_client *c)
{
	struct exchange *x = http_client_data(c);
	struct http_request *req = x->req;

	if (req && x->request_ended && http_client_is_idle(c)) {
		x->client = NULL;
		session_put_idle(x->s, &x->target, c);
	}
	if (req)
		http_response_end(req, x->client ? http_client_trailers(c) : NULL);
}

static void on_client_drain(struct http_client *c)
{
	const struct exchange *x = http_client_data(c);

	if (x->req)
		http_request_resume(x->req);
}

static void start_dial(struct exchange *x);

/* May the request be sent twice? (RFC 9110 9.2.1) */
static bool is_safe(const struct exchange *x)
{
	const char *method = http_request_head(x->req)->method;

	return !http_request_length(x->req) &&
		(!strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "OPTIONS"));
}

static void on_client_close(struct http_client *c, int why)
{
	struct exchange *x = http_client_data(c);

	x->client = NULL;
	if (x->req && !is_answered(x) && x->is_reused && !x->s->p->stopping && is_safe(x)) {
		/* The server closed it while it was idle (RFC 9110 9.2.2). */
		x->is_reused = false;
		start_dial(x);
		return;
	}
	if (x->req && why == -ETIMEDOUT)
		fail(x, 504, "No Answer", "The website did not answer in time.");
	else if (x->req && (why || !is_answered(x)))
		fail(x, 502, "Connection Failed", "The website broke the connection off.");
	free_if_over(x);
}

static const struct http_client_ops client_ops = {
	.on_open = on_open,
	.on_response = on_response,
	.on_body = on_response_body,
	.on_response_end = on_response_end,
	.on_drain = on_client_drain,
	.on_close = on_client_close,
};

/* ---- connecting ---- */

static void start_tunnel(struct exchange *x, struct stream *server)
{
	struct proxy *p = x->s->p;
	struct session *s = x->s;
	struct http_head ok;
	struct stream *client;

	http_head_init(&ok);
	http_head_set_status(&ok, 200);
	client = http_request_handover(x->req, &ok);
	http_head_fini(&ok);
	if (!client) {
		stream_close(server, -EPROTO);
		http_conn_close(s->conn, -EPROTO);
		return;
	}
	tunnel_start(p, client, server);
	session_forget(s);
}

static void on_dialed(void *arg, struct stream *stream, const struct dial_error *err)
{
	static const struct http_limits limits = { .header_ms = 60000, .idle_ms = 60000 };
	struct exchange *x = arg;

	x->dial = NULL;
	if (err) {
		fail(x, err->status, err->title, err->message);
		return;
	}
	if (x->wants_tunnel) {
		start_tunnel(x, stream);
		return;
	}
	x->client = http_client_new(stream, &client_ops, &limits, x);
	if (!x->client) {
		fail(x, 502, "Connection Failed", "The gateway has no memory left.");
		return;
	}
	send_request(x);
}

static void start_dial(struct exchange *x)
{
	x->dial = dial_start(x->s->p, &x->s->device, x->target.host, x->target.port,
		x->target.is_https && !x->wants_tunnel, on_dialed, x);
	if (!x->dial)
		fail(x, 502, "Connection Failed", "The gateway has no memory left.");
}

static void start_upstream(struct exchange *x)
{
	x->client = session_take_idle(x->s, &x->target);
	if (!x->client) {
		start_dial(x);
		return;
	}
	x->is_reused = true;
	http_client_set_ops(x->client, &client_ops, x);
	send_request(x);
}

/* ---- the client's leg ---- */

static bool is_port_allowed(const struct proxyd_conf *conf, uint16_t port)
{
	for (size_t i = 0; i < conf->connect_ports.n; i++) {
		if (conf->connect_ports.v[i] == port)
			return true;
	}
	return false;
}

static void begin_connect(struct exchange *x, const struct http_head *head)
{
	struct session *s = x->s;
	struct decision d;

	x->is_connect = true;
	if (s->is_inner || target_parse_authority(head->target, &x->target)) {
		fail(x, 400, "Bad Request", "The request's target is wrong.");
		return;
	}
	x->target.is_https = x->target.port != 80;
	make_url(x);
	if (!is_port_allowed(s->p->conf, x->target.port)) {
		fail(x, 403, "Port Refused", "This port may not be connected to.");
		return;
	}
	judge(x, true, &d);
	/* What is blocked still completes TLS, so that the page can be shown. */
	x->wants_tunnel = is_allowed(&d) && d.no_decrypt;
	if (x->wants_tunnel)
		start_dial(x);
	else
		s->target = x->target; /* and on from on_body_end */
}

static void begin_request(struct exchange *x, const struct http_head *head)
{
	struct proxy *p = x->s->p;
	struct decision d;
	int status;
	const char *why;

	/* Not for a website: the proxy itself is asked. */
	if (!x->s->is_inner && *head->target == '/') {
		own_answer(p, x->req);
		return;
	}
	why = find_target(x, head, &status);
	if (!why && !(x->path = strdup(x->target.path)))
		why = "The gateway has no memory left.";
	if (why) {
		fail(x, status, status == 421 ? "Misdirected Request" : "Bad Request", why);
		return;
	}
	make_url(x);
	judge(x, false, &d);
	if (!is_allowed(&d)) {
		p->blocked++;
		page_send_blocked(x->req, &d, x->url);
		return;
	}
	if (asks_for_dns(head)) {
		p->blocked++;
		page_send_error(x->req, 451, "Site Blocked", "DNS over HTTPS is blocked.", x->url);
		return;
	}
	p->allowed++;
	x->is_upgrade = http_request_wants_upgrade(x->req);
	http_request_pause(x->req);
	start_upstream(x);
}

void exchange_begin(struct session *s, struct http_request *req)
{
	struct exchange *x = calloc(1, sizeof(*x));

	s->p->requests++;
	if (!x) {
		http_respond(req, 503, NULL, NULL, 0);
		return;
	}
	x->s = s;
	x->req = req;
	http_request_set_data(req, x);
	list_add(&s->p->exchanges, &x->node);
	if (!proxy_device(s->p, &s->device))
		fail(x, 403, "Unknown Device", "This device is not known here.");
	else if (http_request_is_connect(req))
		begin_connect(x, http_request_head(req));
	else
		begin_request(x, http_request_head(req));
}

void exchange_on_body(struct http_request *req, const void *data, size_t len)
{
	struct exchange *x = http_request_data(req);

	if (!x || !x->client || !x->request_sent)
		return;
	http_client_write(x->client, data, len);
	if (x->client && http_client_is_full(x->client))
		http_request_pause(req);
}

void exchange_on_body_end(struct http_request *req)
{
	struct exchange *x = http_request_data(req);

	if (!x)
		return;
	x->request_ended = true;
	if (x->is_connect) {
		if (!x->wants_tunnel && !is_answered(x))
			session_start_inner(x->s, req);
		return;
	}
	if (x->client && x->request_sent && http_request_length(req))
		http_client_end(x->client, http_request_trailers(req));
}

void exchange_on_drain(struct http_request *req)
{
	const struct exchange *x = http_request_data(req);

	if (x && x->client)
		http_client_resume(x->client);
}

void exchange_on_end(struct http_request *req, int why)
{
	struct exchange *x = http_request_data(req);

	(void)why;
	if (!x)
		return;
	x->req = NULL;
	if (x->dial) {
		dial_cancel(x->dial);
		x->dial = NULL;
	}
	if (x->client)
		http_client_close(x->client, 0);
	free_if_over(x);
}

void exchange_close_all(struct proxy *p)
{
	list_foreach_safe (&p->exchanges, it) {
		struct exchange *x = container_of(it, struct exchange, node);
		if (x->client)
			http_client_close(x->client, -ECANCELED);
	}
}
