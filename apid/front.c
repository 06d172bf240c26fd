/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/front.h"
#include "common/list.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct front {
	struct front_options options;
	uv_loop_t *loop;
	struct listener *listener;
	struct list connections;
	size_t connection_count;
	struct hmap per_address; /* address → how many connections */
	struct limiter limiter;
	struct front_stats stats;
};

struct connection {
	struct list node;
	struct front *front;
	struct http_conn *http;
	struct addr peer;
};

/* ---- who asks ---- */

/* What is counted for an address. */
static struct addr host_of(const struct front *f, const struct addr *a)
{
	struct prefix p = { .addr = *a, .len = f->options.v6_len };

	return a->family == AF_INET6 && p.len ? prefix_network(&p).addr : *a;
}

static bool is_trusted(const struct front *f, const struct addr *a)
{
	const struct conf_prefixes *trusted = f->options.trusted;

	for (size_t i = 0; trusted && i < trusted->n; i++) {
		if (prefix_contains(&trusted->v[i], a))
			return true;
	}
	return false;
}

/* One element of X-Forwarded-For, an address with or without a port. */
static bool parse_forwarded(const char *text, size_t len, struct addr *out)
{
	char copy[ENDPOINT_STRLEN];
	struct endpoint e;

	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (!len || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!addr_parse(copy, out))
		return true;
	if (endpoint_parse(copy, &e))
		return false;
	*out = e.addr;
	return true;
}

/* The last address in the list that is no proxy of ours; all before it anyone may have written. */
static struct addr forwarded_client(
	const struct front *f, const struct http_head *head, struct addr client)
{
	for (size_t i = head->n_headers; i-- > 0 && is_trusted(f, &client);) {
		const char *list = head->headers[i].value;
		size_t end = strlen(list);

		if (strcasecmp(head->headers[i].name, "x-forwarded-for"))
			continue;
		while (is_trusted(f, &client)) {
			size_t start = end;
			struct addr a;

			while (start && list[start - 1] != ',')
				start--;
			if (!parse_forwarded(list + start, end - start, &a))
				return client;
			client = a;
			if (!start)
				break;
			end = start - 1;
		}
	}
	return client;
}

static void find_client(struct exchange *x, const struct connection *conn)
{
	const struct http_head *head = http_request_head(x->req);
	const char *proto = http_head_get(head, "x-forwarded-proto");

	x->client = conn->peer;
	x->is_secure = conn->front->options.tls != NULL;
	if (!is_trusted(conn->front, &conn->peer))
		return;
	x->client = forwarded_client(conn->front, head, conn->peer);
	if (!conn->front->options.tls)
		x->is_secure = proto && !strcasecmp(proto, "https");
}

/* ---- exchanges ---- */

static void release(struct exchange *x)
{
	if (x->work || !x->is_ended)
		return;
	if (x->front->options.ops->on_free)
		x->front->options.ops->on_free(x);
	if (x->body.data)
		explicit_bzero(x->body.data, x->body.cap); /* passwords come in bodies */
	buf_fini(&x->body);
	free(x);
}

void exchange_begin_work(struct exchange *x)
{
	x->work++;
}

void exchange_end_work(struct exchange *x)
{
	x->work--;
	release(x);
}

const struct http_head *exchange_head(const struct exchange *x)
{
	return x->req ? http_request_head(x->req) : NULL;
}

bool exchange_has_type(const struct exchange *x, const char *type)
{
	const struct http_head *head = exchange_head(x);
	const char *text = head ? http_head_get(head, "content-type") : NULL;
	size_t len = strlen(type);

	return text && !strncasecmp(text, type, len) &&
	       (!text[len] || text[len] == ';' || text[len] == ' ' || text[len] == '\t');
}

const uint32_t front_bucket_us[FRONT_BUCKETS - 1] = { 1000, 2500, 5000, 10000, 25000, 50000, 100000,
	250000, 1000000, 2500000 };

static void count_answer(const struct exchange *x, int status)
{
	struct front_stats *s = &x->front->stats;
	uint64_t us = (uv_hrtime() - x->began_ns) / 1000;
	int i = 0;

	if (status >= 100 && status < 600)
		s->by_class[status / 100]++;
	while (i < FRONT_BUCKETS - 1 && us > front_bucket_us[i])
		i++;
	s->buckets[i]++;
	s->sum_us += us;
}

const struct front_stats *front_get_stats(const struct front *f)
{
	return &f->stats;
}

void exchange_answer(struct exchange *x, int status, const struct http_head *extra,
	const char *content_type, const void *body, size_t len)
{
	struct http_request *req = x->req;

	if (!req)
		return;
	count_answer(x, status);
	x->req = NULL;
	exchange_begin_work(x); /* on_end comes from within */
	if (http_respond_with(req, status, extra, content_type, body, len))
		http_conn_close(http_request_conn(req), -EIO);
	exchange_end_work(x);
}

static void refuse(struct exchange *x, int status, const char *why, unsigned retry_s)
{
	x->front->options.ops->on_refused(x, status, why, retry_s);
}

static void on_request(struct http_request *req)
{
	struct connection *conn = http_conn_data(http_request_conn(req));
	struct front *f = conn->front;
	struct exchange *x = calloc(1, f->options.ops->exchange_size);
	unsigned wait;

	if (!x) {
		http_conn_close(http_request_conn(req), -ENOMEM);
		return;
	}
	x->front = f;
	x->owner = f->options.arg;
	x->req = req;
	x->began_ns = uv_hrtime();
	x->body_max = f->options.body_max;
	http_request_set_data(req, x);
	find_client(x, conn);
	x->host = host_of(f, &x->client);
	exchange_begin_work(x);
	wait = limiter_take(&f->limiter, &x->host, sizeof(x->host));
	if (wait)
		refuse(x, 429, "too many requests from this address", wait);
	else
		f->options.ops->on_head(x);
	if (x->req) {
		uint64_t len = http_request_length(req);

		buf_init(&x->body, x->body_max + 1);
		if (len != UINT64_MAX && len > x->body_max)
			refuse(x, 413, "the body is too large", 0);
	}
	exchange_end_work(x);
}

static void on_body(struct http_request *req, const void *data, size_t len)
{
	struct exchange *x = http_request_data(req);

	if (!x || !x->req)
		return;
	if (x->body.len + len > x->body_max)
		refuse(x, 413, "the body is too large", 0);
	else if (buf_append(&x->body, data, len))
		refuse(x, 503, "no memory", 1);
}

static void on_body_end(struct http_request *req)
{
	struct exchange *x = http_request_data(req);

	if (!x || !x->req)
		return;
	exchange_begin_work(x);
	x->front->options.ops->on_body(x);
	exchange_end_work(x);
}

static void on_end(struct http_request *req, int why)
{
	struct exchange *x = http_request_data(req);

	(void)why;
	if (!x)
		return;
	x->req = NULL;
	x->is_ended = true;
	release(x);
}

/* ---- connections ---- */

static void count_address(struct front *f, const struct addr *a, int by)
{
	struct addr host = host_of(f, a);
	intptr_t n = (intptr_t)hmap_find(&f->per_address, &host, sizeof(host)) + by;

	if (n > 0)
		hmap_set(&f->per_address, &host, sizeof(host), (void *)n);
	else
		hmap_take(&f->per_address, &host, sizeof(host));
}

static void forget(struct connection *conn)
{
	list_remove(&conn->node);
	conn->front->connection_count--;
	count_address(conn->front, &conn->peer, -1);
	free(conn);
}

static void on_close(struct http_conn *http, int why)
{
	(void)why;
	forget(http_conn_data(http));
}

struct stream *exchange_handover(struct exchange *x, const struct http_head *head)
{
	struct connection *conn = x->req ? http_conn_data(http_request_conn(x->req)) : NULL;
	struct stream *s;

	if (!conn)
		return NULL;
	exchange_begin_work(x); /* on_end comes from within */
	s = http_request_handover(x->req, head);
	if (s) {
		count_answer(x, head->status);
		forget(conn);
	}
	exchange_end_work(x);
	return s;
}

static const struct http_server_ops server_ops = {
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_end = on_end,
	.on_close = on_close,
};

static bool is_full(const struct front *f, const struct addr *peer)
{
	size_t max = f->options.connections_per_address;
	struct addr host = host_of(f, peer);

	if (f->connection_count >= f->options.connections_max)
		return true;
	return max && !is_trusted(f, peer) &&
	       (size_t)(uintptr_t)hmap_find(&f->per_address, &host, sizeof(host)) >= max;
}

static void on_accept(struct listener *l, int fd, const struct sockaddr *from, void *data)
{
	static const struct stream_ops no_ops;
	struct front *f = data;
	struct addr peer = addr_from_sockaddr(from);
	struct connection *conn = is_full(f, &peer) ? NULL : calloc(1, sizeof(*conn));
	struct stream *s;

	(void)l;
	if (!conn) {
		close(fd);
		return;
	}
	if (stream_accept(f->loop, fd, f->options.tls, NULL, &no_ops, NULL, &s)) {
		free(conn);
		return;
	}
	conn->front = f;
	conn->peer = peer;
	conn->http = http_conn_new(s, &server_ops, NULL, conn);
	if (!conn->http) {
		free(conn);
		return;
	}
	list_add(&f->connections, &conn->node);
	f->connection_count++;
	count_address(f, &peer, 1);
}

int front_open(uv_loop_t *loop, const struct front_options *options, struct front **out)
{
	struct listener_options listen = { .reuse_port = true, .freebind = options->freebind };
	struct front *f = calloc(1, sizeof(*f));
	struct sockaddr_storage at;
	char text[ENDPOINT_STRLEN];
	int r;

	if (!f)
		return -ENOMEM;
	f->options = *options;
	f->loop = loop;
	list_init(&f->connections);
	hmap_init(&f->per_address, NULL);
	limiter_init(&f->limiter, options->rate, options->burst);
	addr_to_sockaddr(&options->at.addr, options->at.port, &at);
	endpoint_format(&options->at, text);
	r = listener_open(loop, (struct sockaddr *)&at, &listen, on_accept, f, &f->listener);
	if (r) {
		log_error("cannot listen at=%s error=%s", text, strerror(-r));
		free(f);
		return r;
	}
	log_notice("%s listens at=%s", options->name, text);
	*out = f;
	return 0;
}

void front_set_tls(struct front *f, struct tls_ctx *tls)
{
	f->options.tls = tls;
}

void front_close(struct front *f)
{
	if (!f)
		return;
	listener_close(f->listener);
	f->listener = NULL;
	list_foreach_safe (&f->connections, it)
		http_conn_close(container_of(it, struct connection, node)->http, -ECANCELED);
}

void front_free(struct front *f)
{
	if (!f)
		return;
	hmap_fini(&f->per_address);
	limiter_fini(&f->limiter);
	free(f);
}
