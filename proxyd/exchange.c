/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/exchange.h"
#include "proxyd/exchange_impl.h"
#include "proxyd/filter.h"
#include "proxyd/gateway.h"
#include "proxyd/judge.h"
#include "proxyd/load.h"
#include "proxyd/own.h"
#include "proxyd/page.h"
#include "proxyd/search.h"
#include "proxyd/stand_in.h"
#include "proxyd/upstream.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void exchange_free_if_over(struct exchange *x)
{
	if (x->req || x->client || x->dial || x->relay)
		return;
	flow_remove(&x->flow);
	list_remove(&x->node);
	access_drop(&x->access);
	own_free(x->own);
	if (x->load)
		load_release_request(x->p, x->load);
	if (x->form)
		search_form_fini(x->form);
	free(x->form);
	free(x->path);
	free(x);
}

bool exchange_is_answered(const struct exchange *x)
{
	return !x->req || http_response_started(x->req);
}

void exchange_fail(struct exchange *x, int status, const char *title, const char *message)
{
	struct http_request *req = x->req;

	x->p->failed++;
	if (x->access.verdict == ACCESS_NONE)
		access_refuse(&x->access, x->p, title);
	x->access.has_failed = x->access.verdict == ACCESS_ALLOW;
	if (exchange_is_answered(x) ||
		page_send_error(&x->p->pages, req, status, title, message, x->url))
		http_response_abort(req);
}

/* ---- when policy changes (SPEC F9) ---- */

static uint64_t tag_of(const struct exchange *x)
{
	return stand_in_tag(x->p, proxy_device(x->p, &x->s->device), x->target.host);
}

static bool is_still_allowed(struct flow *f)
{
	struct exchange *x = container_of(f, struct exchange, flow);
	struct stream *s = x->client ? http_client_stream(x->client) : x->relay;
	struct proxy *p = x->p;
	struct decision d;

	if (!access_is_its(&x->access, p, &x->s->device))
		return false;
	judge_decide(x, x->is_connect, &d);
	if (x->is_connect)
		return pins_is_blind(p, proxy_device(p, &x->s->device), x->target.host, &d) &&
		       x->leads_to == tag_of(x);
	/* What is closing by itself leads nowhere any more. */
	return judge_is_allowed(&d) &&
	       (!s || !stream_is_open(s) || connect_may_stay(p, &x->s->device, x->target.host, s));
}

/* Not even what waits in the kernel for a slow reader goes out any more. */
static void abort_answer(struct http_request *req)
{
	struct stream *s = http_conn_stream(http_request_conn(req));

	if (!http_request_is_http2(req))
		stream_reset(s, -ECANCELED);
	http_response_abort(req);
}

/* The block page, where nothing of the answer went out yet. */
static void cut(struct flow *f)
{
	struct exchange *x = container_of(f, struct exchange, flow);
	struct decision d;

	flow_remove(f);
	judge_decide(x, x->is_connect, &d);
	upstream_stop(x, 0);
	access_judge(&x->access, x->p, &d);
	if (judge_is_allowed(&d)) {
		access_refuse(&x->access, x->p, x->is_connect ? "policy changed" : "address");
		exchange_fail(x, 403, "Connection Refused",
			"This device may not connect there any more.");
		return;
	}
	if (exchange_is_answered(x))
		abort_answer(x->req);
	else
		own_send_blocked(x->p, x->req, &x->target, x->url, &d, NULL);
}

static const struct flow_ops flow_ops = { is_still_allowed, cut };

/* ---- requests ---- */

static bool is_port_among(const struct conf_ints *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->n; i++) {
		if (ports->v[i] == port)
			return true;
	}
	return false;
}

/* Plain HTTP may not be made to speak to other services, as browsers see it (WHATWG Fetch, "bad
 * port"). */
static bool is_bad_port(uint16_t port)
{
	static const uint16_t bad[] = { 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000,
		6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (bad[i] == port)
			return true;
	}
	return false;
}

static bool is_http_port_allowed(const struct proxyd_conf *conf, uint16_t port)
{
	return is_port_among(&conf->http_ports, port) ||
	       (conf->http_high_ports && port >= 1024 && !is_bad_port(port));
}

bool exchange_may_ask_port(const struct proxyd_conf *conf, bool is_https, uint16_t port)
{
	return is_https ? is_port_among(&conf->connect_ports, port)
			: is_http_port_allowed(conf, port);
}

static void refuse_port(struct exchange *x)
{
	exchange_fail(x, 403, "Port Refused", "This port may not be connected to.");
}

static void begin_connect(struct exchange *x, const struct http_head *head)
{
	struct session *s = x->s;
	struct decision d;

	x->is_connect = true;
	if (s->is_inner || session_is_intercepted(s) ||
		target_parse_authority(head->target, &x->target)) {
		exchange_fail(x, 400, "Bad Request", "The request's target is wrong.");
		return;
	}
	x->target.is_https = x->target.port != 80;
	judge_make_url(x);
	if (!is_port_among(&x->p->conf->connect_ports, x->target.port)) {
		refuse_port(x);
		return;
	}
	judge_decide(x, true, &d);
	/* What is blocked still completes TLS, so that the page can be shown. Where HTTP is to be
	 * expected, it is seen in any case. */
	s->is_blind = pins_is_blind(x->p, proxy_device(x->p, &s->device), x->target.host, &d);
	x->wants_tunnel = s->is_blind && x->target.is_https;
	if (x->wants_tunnel) {
		access_judge(&x->access, x->p, &d);
		x->leads_to = tag_of(x);
		flow_add(&x->p->flows, &x->flow, &flow_ops);
		upstream_start(x);
		return;
	}
	access_begin(&s->access, x->p, &s->device);
	access_judge(&s->access, x->p, &d);
	s->target = x->target; /* and on from on_body_end */
}

static void block_dns(struct exchange *x)
{
	x->p->blocked++;
	access_refuse(&x->access, x->p, "encrypted dns");
	page_send_error(
		&x->p->pages, x->req, 451, "Site Blocked", "DNS over HTTPS is blocked.", x->url);
}

static void begin_visit(struct exchange *x, const struct own_visit *visit, const char *path)
{
	struct own *o = own_begin(visit, x->req, path);

	/* Else it is answered, and x may be gone. */
	if (o)
		x->own = o;
}

/* Not for a website: the proxy itself is asked. */
static void begin_own(struct exchange *x, const struct http_head *head)
{
	struct own_visit visit;
	int err = own_visit_init(&visit, x->p, &x->s->device, http_head_get(head, "Host"), false);

	if (err)
		exchange_fail(x, err == -EINVAL ? 400 : 421, "Misdirected Request",
			"The Host header does not name the gateway.");
	else
		begin_visit(x, &visit, head->target);
}

/* Of a request that may be sent on: what is for us to answer all the same. */
static bool answer_method(struct exchange *x, const struct http_head *head)
{
	struct http_head allow;

	if (!strcmp(head->method, "TRACE")) {
		/* It would show a page's scripts what they are not to see. */
		exchange_fail(x, 405, "Method Not Allowed", "TRACE is not sent on.");
		return true;
	}
	if (judge_hops_left(head) != 0)
		return false;
	http_head_init(&allow);
	http_head_add(&allow, "Allow", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
	http_respond_with(x->req, 200, &allow, NULL, NULL, 0);
	http_head_fini(&allow);
	return true;
}

static void begin_request(struct exchange *x, const struct http_head *head)
{
	struct proxy *p = x->p;
	struct own_visit visit;
	struct decision d;
	int status;
	const char *why;
	bool is_proxy = !x->s->is_inner && !session_is_intercepted(x->s);

	if (is_proxy && *head->target == '/') {
		begin_own(x, head);
		return;
	}
	why = judge_target(x, head, &status);
	if (why) {
		exchange_fail(
			x, status, status == 421 ? "Misdirected Request" : "Bad Request", why);
		return;
	}
	judge_make_url(x);
	if (own_is_asked(&visit, p, &x->s->device, &x->target, x->path)) {
		begin_visit(x, &visit, x->path);
		return;
	}
	/* That of CONNECT was judged already, and that of an intercepted one by the firewall. */
	if (is_proxy && !is_http_port_allowed(p->conf, x->target.port)) {
		refuse_port(x);
		return;
	}
	judge_decide(x, false, &d);
	access_judge(&x->access, p, &d);
	if (!judge_is_allowed(&d)) {
		own_send_blocked(x->p, x->req, &x->target, x->url, &d, NULL);
		return;
	}
	if (judge_asks_for_dns(head)) {
		block_dns(x);
		return;
	}
	if (answer_method(x, head) || exchange_block_search(x, &d))
		return;
	if (search_begin_form(x, &d)) {
		exchange_fail(x, 503, "Not Ready", "The gateway has no memory left.");
		return;
	}
	p->allowed++;
	filter_judge(x, &d);
	flow_add(&p->flows, &x->flow, &flow_ops);
	x->is_upgrade = http_request_wants_upgrade(x->req) && judge_is_websocket(head);
	/* Until there is somebody to take the body; and it is for him to ask for it. */
	http_request_pause(x->req);
	http_request_hold_continue(x->req);
	upstream_start(x);
}

void exchange_begin(struct session *s, struct http_request *req)
{
	struct exchange *x = calloc(1, sizeof(*x));

	s->p->requests++;
	if (!x) {
		http_respond(req, 503, NULL, NULL, 0);
		return;
	}
	x->p = s->p;
	x->s = s;
	x->req = req;
	http_request_set_data(req, x);
	access_begin(&x->access, s->p, &s->device);
	list_add(&s->p->exchanges, &x->node);
	if (!proxy_device(s->p, &s->device))
		exchange_fail(x, 403, "Unknown Device", "This device is not known here.");
	else if (http_request_is_connect(req))
		begin_connect(x, http_request_head(req));
	else
		begin_request(x, http_request_head(req));
}

/* ---- callbacks ---- */

void exchange_on_body(struct http_request *req, const void *data, size_t len)
{
	struct exchange *x = http_request_data(req);

	if (x && x->own)
		own_on_body(x->own, data, len);
	else if (x && x->form)
		exchange_take_form(x, data, len, false);
	else if (x)
		upstream_write(x, data, len);
}

void exchange_on_body_end(struct http_request *req)
{
	struct exchange *x = http_request_data(req);

	if (!x)
		return;
	x->request_ended = true;
	if (x->own)
		own_on_body_end(x->own);
	else if (x->is_connect && !x->wants_tunnel && !exchange_is_answered(x))
		session_start_inner(x->s, req);
	else if (!x->is_connect && (!x->form || !exchange_take_form(x, "", 0, true)))
		upstream_end(x);
}

void exchange_on_drain(struct http_request *req)
{
	struct exchange *x = http_request_data(req);

	if (x)
		upstream_resume(x);
}

/* As the device spoke it. */
static const char *version_of(const struct http_request *req)
{
	if (http_request_is_http2(req))
		return "2.0";
	return http_request_head(req)->minor ? "1.1" : "1.0";
}

static void tell(struct exchange *x)
{
	const struct access_facts facts = {
		.device = &x->s->device,
		.method = http_request_head(x->req)->method,
		.version = version_of(x->req),
		.host = x->target.host,
		.port = x->target.port,
		.is_https = x->target.is_https,
		.path = x->path,
		.status = http_response_status(x->req),
		.bytes = http_response_sent(x->req),
	};

	access_end(&x->access, x->p, &facts);
}

void exchange_on_end(struct http_request *req, int why)
{
	struct exchange *x = http_request_data(req);

	(void)why;
	if (!x)
		return;
	tell(x);
	x->req = NULL;
	flow_remove(&x->flow);
	upstream_stop(x, 0);
	exchange_free_if_over(x);
}

void exchange_close_all(struct proxy *p)
{
	list_foreach_safe (&p->exchanges, it) {
		struct exchange *x = container_of(it, struct exchange, node);
		if (x->client)
			http_client_close(x->client, -ECANCELED);
	}
}
