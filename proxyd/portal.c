/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/portal.h"
#include "common/timer.h"
#include "proxyd/load.h"
#include "proxyd/own.h"
#include "proxyd/page.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define URL_LEN 1024 /* of those shown, cut */

/* One connection of a device to the portal. */
struct visitor {
	struct list node;
	struct proxy *p;
	struct addr device;
	struct load *load;     /* its place among the device's connections */
	struct stream *stream; /* until its first callback; then conn has it */
	struct http_conn *conn;
	bool is_https, is_secured; /* TLS is to be, has begun */
};

static const struct stream_limits limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 60000,
	.write_ms = 60000,
};

static const struct http_limits http_limits = {
	.max_headers = 100,
	.max_head_bytes = 64 << 10,
	.max_target = 16 << 10,
	.max_body = 64 << 10,
	.header_ms = 10000,
	.idle_ms = 60000,
	.body_min_rate = 100,
};

static void free_visitor(struct visitor *v)
{
	if (v->load)
		load_release(v->p, v->load);
	list_remove(&v->node);
	free(v);
}

/* ---- requests ---- */

/* The address that it was connected to, as URLs have it but without brackets. */
static int find_own_address(const struct stream *stream, char out[static ADDR_STRLEN])
{
	struct sockaddr_storage ss;
	int err = stream_local(stream, &ss);

	if (err)
		return err;
	struct addr a = addr_from_sockaddr((const struct sockaddr *)&ss);
	addr_format(&a, out);
	return 0;
}

/* The certificate was for another name than the request (SPEC P15). */
static bool is_mismatched(const struct visitor *v, const char *host)
{
	struct tls_info info;

	return stream_tls_info(http_conn_stream(v->conn), &info) && info.sni &&
	       strcasecmp(info.sni, host) != 0;
}

static void refuse(const struct visitor *v, struct http_request *req, int status, const char *title,
	const char *why)
{
	if (page_send_error(&v->p->pages, req, status, title, why, ""))
		http_response_abort(req);
}

static void begin_visit(const struct own_visit *visit, struct http_request *req, const char *path)
{
	struct own *o = own_begin(visit, req, path);

	/* Else it is answered, and the request may be gone. */
	if (o)
		http_request_set_data(req, o);
}

/* Another website's name: dnsd gives the gateway's address for what it blocks, where it is told to
 * (block_mode address). Then the page says why, and leads to the portal under that name. */
static bool answer_blocked(
	const struct visitor *v, struct own_visit *visit, struct http_request *req)
{
	const char *path = http_request_head(req)->target;
	const struct policy_query q = {
		.path = POLICY_PATH_DNS,
		.host = visit->at.host,
		.host_len = strlen(visit->at.host),
	};
	struct decision d;
	char url[URL_LEN];

	policy_decide(v->p->policy, proxy_device(v->p, &v->device), &q, clock_wall_ms(), &d);
	if (d.verdict != VERDICT_BLOCK || d.reason == REASON_NO_POLICY)
		return false;
	if (own_is_asked(visit, v->p, &v->device, &visit->at, path)) {
		begin_visit(visit, req, path);
		return true;
	}
	snprintf(url, sizeof(url), "http%s://%s%s", v->is_https ? "s" : "", visit->at.host, path);
	own_send_blocked(v->p, req, &visit->at, url, &d, NULL);
	return true;
}

static void on_request(struct http_request *req)
{
	const struct visitor *v = http_conn_data(http_request_conn(req));
	const struct http_head *head = http_request_head(req);
	struct own_visit visit;
	int err;

	v->p->requests++;
	if (!proxy_device(v->p, &v->device)) {
		refuse(v, req, 403, "Unknown Device", "This device is not known here.");
		return;
	}
	err = own_visit_init(&visit, v->p, &v->device, http_head_get(head, "Host"), v->is_https);
	if (*head->target != '/' || err == -EINVAL)
		refuse(v, req, 400, "Bad Request", "The request's target is wrong.");
	else if (is_mismatched(v, visit.at.host) || (err && !answer_blocked(v, &visit, req)))
		refuse(v, req, 421, "Misdirected Request", "This website is not here.");
	else if (!err)
		begin_visit(&visit, req, head->target);
}

static void on_body(struct http_request *req, const void *data, size_t len)
{
	struct own *o = http_request_data(req);

	if (o)
		own_on_body(o, data, len);
}

static void on_body_end(struct http_request *req)
{
	struct own *o = http_request_data(req);

	if (o)
		own_on_body_end(o);
}

static void on_end(struct http_request *req, int why)
{
	(void)why;
	own_free(http_request_data(req));
}

static void on_conn_close(struct http_conn *c, int why)
{
	(void)why;
	free_visitor(http_conn_data(c));
}

static void start_http(struct visitor *v)
{
	static const struct http_server_ops ops = {
		.on_request = on_request,
		.on_body = on_body,
		.on_body_end = on_body_end,
		.on_end = on_end,
		.on_close = on_conn_close,
	};
	struct stream *stream = v->stream;

	v->stream = NULL;
	v->conn = http_conn_new(stream, &ops, &http_limits, v);
	if (!v->conn)
		free_visitor(v);
}

/* ---- life ---- */

/* sni: the name asked for, else the address that the connection was made to. */
static struct tls_cert *select_cert(void *data, void *conn_data, const char *sni)
{
	const struct proxy *p = data;

	(void)conn_data;
	return sni ? cert_minter_get(p->minter, sni) : NULL;
}

static void on_open(struct stream *stream)
{
	struct visitor *v = stream_data(stream);
	char own[ADDR_STRLEN];
	int err;

	if (!v->is_https || v->is_secured) {
		start_http(v);
		return;
	}
	v->is_secured = true;
	err = find_own_address(stream, own);
	if (!err)
		err = stream_start_tls_server(stream, v->p->portal_tls, own);
	if (err)
		stream_close(stream, err);
}

static void on_stream_close(struct stream *stream, int why)
{
	(void)why;
	free_visitor(stream_data(stream));
}

static void accept_visitor(struct proxy *p, int fd, const struct addr *device, bool is_https)
{
	static const struct stream_ops ops = { .on_open = on_open, .on_close = on_stream_close };
	struct visitor *v = calloc(1, sizeof(*v));

	p->accepted++;
	if (!v) {
		close(fd);
		return;
	}
	if (stream_accept(&p->d->loop, fd, NULL, &limits, &ops, v, &v->stream)) {
		free(v); /* the descriptor is closed in any case */
		return;
	}
	v->p = p;
	v->device = *device;
	v->is_https = is_https;
	list_add(&p->visitors, &v->node);
	if (proxy_device(p, device))
		v->load = load_take(p, device);
	if (!v->load) {
		p->refused_clients++;
		stream_close(v->stream, -EACCES);
	}
}

void portal_accept_http(struct proxy *p, int fd, const struct addr *device)
{
	accept_visitor(p, fd, device, false);
}

void portal_accept_https(struct proxy *p, int fd, const struct addr *device)
{
	accept_visitor(p, fd, device, true);
}

int portal_open(struct proxy *p)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	struct tls_config cfg = {
		.is_server = true,
		.select_cert = select_cert,
		.select_data = p,
		.alpn = alpn,
	};

	return tls_ctx_new(&cfg, &p->portal_tls);
}

void portal_close(struct proxy *p)
{
	list_foreach_safe (&p->visitors, it) {
		struct visitor *v = container_of(it, struct visitor, node);
		if (v->conn)
			http_conn_close(v->conn, -ECANCELED);
		else
			stream_close(v->stream, -ECANCELED);
	}
}

void portal_fini(struct proxy *p)
{
	tls_ctx_free(p->portal_tls);
}
