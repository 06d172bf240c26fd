/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP/1.1 without I/O and over loopback (SPEC P17: smuggling, oversize, slow loris, half-close;
 * P1: CONNECT). */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "common/cert.h"
#include "common/http_internal.h"
#include "tests/unit/tap.h"

/* -- The parser alone -- */

struct outcome {
	int status; /* of an error, 0 = none */
	int messages;
	char text[4096]; /* what came: heads, bodies, trailers */
};

static void note(struct outcome *o, const char *text, size_t len)
{
	size_t at = strlen(o->text);

	if (at + len < sizeof(o->text))
		memcpy(o->text + at, text, len);
}

static void note_headers(struct outcome *o, const struct http_head *h)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		note(o, h->headers[i].name, strlen(h->headers[i].name));
		note(o, "=", 1);
		note(o, h->headers[i].value, strlen(h->headers[i].value));
		note(o, ";", 1);
	}
}

static void note_event(struct outcome *o, struct http_parser *p, enum http_event ev)
{
	const struct http_head *h = &p->head;

	if (ev == HTTP_EVENT_HEAD) {
		note(o, "[", 1);
		if (h->method) {
			note(o, h->method, strlen(h->method));
			note(o, " ", 1);
			note(o, h->target, strlen(h->target));
		}
		note(o, "|", 1);
		note_headers(o, h);
		note(o, "]", 1);
	} else if (ev == HTTP_EVENT_BODY) {
		note(o, p->body, p->body_len);
	} else if (ev == HTTP_EVENT_END) {
		note(o, "<", 1);
		note_headers(o, &p->trailers);
		note(o, ">", 1);
		o->messages++;
		if (p->upgraded) {
			p->phase = HTTP_PHASE_FAILED;
			return;
		}
		http_parser_reset(p);
	} else if (ev == HTTP_EVENT_ERROR) {
		o->status = p->status;
	}
}

/* Feeds in two parts, cut at `split`; step 1 feeds byte by byte. */
static void feed(struct http_parser *p, struct outcome *o, const char *data, size_t len)
{
	enum http_event ev;
	size_t used;

	do {
		/* A block of its own size, so that reading past its end is seen. */
		char *copy = malloc(len + !len);

		memcpy(copy, data, len);
		ev = http_parser_next(p, copy, len, &used);
		OK(used <= len);
		note_event(o, p, ev);
		free(copy);
		data += used;
		len -= used;
	} while (ev != HTTP_EVENT_ERROR && (len || ev != HTTP_EVENT_MORE) &&
		 p->phase < HTTP_PHASE_FAILED);
}

static struct outcome parse_cut(const char *text, size_t len, bool is_response, size_t split)
{
	struct outcome o = { 0 };
	struct http_parser p;

	OK(http_parser_init(&p, is_response, NULL) == 0);
	feed(&p, &o, text, split);
	if (p.phase < HTTP_PHASE_FAILED)
		feed(&p, &o, text + split, len - split);
	http_parser_fini(&p);
	return o;
}

static struct outcome parse_bytes(const char *text, size_t len, bool is_response)
{
	struct outcome o = { 0 };
	struct http_parser p;

	OK(http_parser_init(&p, is_response, NULL) == 0);
	for (size_t i = 0; i < len && p.phase < HTTP_PHASE_FAILED; i++)
		feed(&p, &o, text + i, 1);
	http_parser_fini(&p);
	return o;
}

struct row {
	const char *in;
	int status;
	int messages;
	const char *text; /* NULL = not looked at */
};

#define H "Host: h\r\n"
#define G "GET / HTTP/1.1\r\n" H
#define P "POST / HTTP/1.1\r\n" H

static const struct row requests[] = {
	/* Good */
	{ G "\r\n", 0, 1, "[GET /|Host=h;]<>" },
	{ "\r\n" G "\r\n", 0, 1, "[GET /|Host=h;]<>" },
	{ G "A:  b \t\r\nEmpty:\r\n\r\n", 0, 1, "[GET /|Host=h;A=b;Empty=;]<>" },
	{ P "Content-Length: 3\r\n\r\nabc" G "\r\n", 0, 2,
		"[POST /|Host=h;Content-Length=3;]abc<>[GET /|Host=h;]<>" },
	{ P "Content-Length: 0\r\n\r\n" G "\r\n", 0, 2, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 0, 1,
		"[POST /|Host=h;Transfer-Encoding=chunked;]abcde<>" },
	{ P "Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nT: v\r\nU: w\r\n\r\n" G "\r\n", 0, 2,
		"[POST /|Host=h;Transfer-Encoding=Chunked;]a<T=v;U=w;>[GET /|Host=h;]<>" },
	{ "GET http://h/x?y HTTP/1.1\r\n" H "\r\n", 0, 1, "[GET http://h/x?y|Host=h;]<>" },
	{ "OPTIONS * HTTP/1.1\r\n" H "\r\n", 0, 1, NULL },
	{ "CONNECT h:443 HTTP/1.1\r\n" H "\r\n\x16\x03\x01", 0, 1, "[CONNECT h:443|Host=h;]<>" },
	{ "GET / HTTP/1.0\r\n\r\n", 0, 1, NULL },
	{ "GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n" G "\r\n", 0, 2,
		NULL },
	{ G "X: \xc3\xa9\r\n\r\n", 0, 1, NULL },
	{ G "Connection: close\r\n\r\n" G "\r\n", 0, 2, NULL },
	/* Smuggling */
	{ P "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0, "" },
	{ P "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, 0, "" },
	{ P "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, 0, "" },
	{ P "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, 0, "" },
	{ P "Content-Length: 3, 3\r\n\r\nabc", 400, 0, "" },
	{ P "Content-Length: +3\r\n\r\nabc", 400, 0, "" },
	{ P "Content-Length: -3\r\n\r\nabc", 400, 0, "" },
	{ P "Content-Length: 0x3\r\n\r\nabc", 400, 0, "" },
	{ P "Content-Length: 3 3\r\n\r\nabc", 400, 0, "" },
	{ P "Content-Length: \r\n\r\n", 400, 0, "" },
	{ P "Content-Length: 99999999999999999999999\r\n\r\n", 400, 0, "" },
	{ P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0,
		"" },
	{ P "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, 0, "" },
	{ P "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, 0, NULL },
	{ P "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501, 0, NULL },
	{ P "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, 0, "" },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0, "" },
	{ P "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400, 0, "" },
	{ G "A: b\r\n c\r\n\r\n", 400, 0, "" },
	{ G "A: b\r\n\tc\r\n\r\n", 400, 0, "" },
	{ G "A: b\rC: d\r\n\r\n", 400, 0, "" },
	{ G "A: b\nC: d\r\n\r\n", 400, 0, "" },
	{ G "A: b\r\n\n", 400, 0, "" },
	{ "GET / HTTP/1.1\n" H "\r\n", 400, 0, "" },
	{ G "A b: c\r\n\r\n", 400, 0, "" },
	{ G "A\r\n\r\n", 400, 0, "" },
	{ G ": c\r\n\r\n", 400, 0, "" },
	{ G " A: c\r\n\r\n", 400, 0, "" },
	{ G "A\x01: c\r\n\r\n", 400, 0, "" },
	{ G "A: c\x7f\r\n\r\n", 400, 0, "" },
	{ P "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\nabc\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n0\r\nT : v\r\n\r\n", 400, 0, NULL },
	{ P "Transfer-Encoding: chunked\r\n\r\n0\r\nT: v\n\r\n", 400, 0, NULL },
	/* Others */
	{ "GET / HTTP/1.1\r\n\r\n", 400, 0, "" },
	{ "GET / HTTP/1.1\r\n" H H "\r\n", 400, 0, "" },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, 0, "" },
	{ "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, 0, "" },
	{ "BREW / HTTP/1.1\r\n" H "\r\n", 501, 0, "" },
	{ "GET / HTTP/2.0\r\n" H "\r\n", 505, 0, "" },
	{ "GET / HTTP/1.2\r\n" H "\r\n", 505, 0, "" },
	{ "GET / HTTP/0.9\r\n" H "\r\n", 505, 0, "" },
	{ "GET /\r\n\r\n", 400, 0, "" },
	{ "GET  / HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "GET / x HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 0, "" },
	{ "\x16\x03\x01\x02", 400, 0, "" },
	{ "CONNECT h:443 HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", 400, 0, "" },
	{ "CONNECT /x HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "CONNECT h HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "CONNECT h:0 HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "CONNECT h:65536 HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "CONNECT u@h:443 HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "GET foo HTTP/1.1\r\n" H "\r\n", 400, 0, "" },
	{ "CONNECT [::1]:443 HTTP/1.1\r\n" H "\r\n", 0, 1, NULL },
	{ P "Expect: magic\r\nContent-Length: 1\r\n\r\na", 417, 0, "" },
};

static const struct row responses[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 0, 1, "[|Content-Length=2;]ab<>" },
	{ "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab", 0, 1, NULL },
	{ "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", 0, 2,
		NULL },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		0, 2, NULL },
	{ "HTTP/1.1 200 OK\r\n\r\nuntil the end", 0, 0, "[|]until the end" },
	{ "HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz", 0, 1,
		"[|Upgrade=x;Connection=upgrade;]<>" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0,
		"" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400, 0, "" },
	{ "HTTP/1.1 99 X\r\n\r\n", 400, 0, "" },
	{ "HTTP/1.1 2000 X\r\n\r\n", 400, 0, "" },
	{ "HTTX/1.1 200 X\r\n\r\n", 400, 0, "" },
	{ "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 400, 0, "" },
};

static void check_rows(const struct row *rows, size_t n, bool is_response)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		size_t len = strlen(r->in);
		struct outcome whole = parse_cut(r->in, len, is_response, len);
		bool before = tap_ok;

		INT_IS(whole.status, r->status);
		INT_IS(whole.messages, r->messages);
		if (r->text)
			STR_IS(whole.text, r->text);
		for (size_t split = 0; split < len; split++) {
			struct outcome cut = parse_cut(r->in, len, is_response, split);

			INT_IS(cut.status, whole.status);
			if (!whole.status)
				STR_IS(cut.text, whole.text);
		}
		struct outcome bytes = parse_bytes(r->in, len, is_response);

		INT_IS(bytes.status, whole.status);
		if (!whole.status)
			STR_IS(bytes.text, whole.text);
		if (before && !tap_ok)
			printf("# row %zu: %s\n", i, r->in);
	}
}

static void test_requests_good_and_bad_however_split(void)
{
	check_rows(requests, sizeof(requests) / sizeof(requests[0]), false);
}

static void test_responses_good_and_bad_however_split(void)
{
	check_rows(responses, sizeof(responses) / sizeof(responses[0]), true);
}

static void test_refuses_nul_in_a_head(void)
{
	static const char text[] = G "A: b\0c\r\n\r\n";
	struct outcome o = parse_cut(text, sizeof(text) - 1, false, sizeof(text) - 1);

	INT_IS(o.status, 400);
}

static struct outcome parse_big(const char *prefix, const char *piece, int n, const char *end)
{
	size_t plen = strlen(piece);
	char *text = malloc(strlen(prefix) + plen * (size_t)n + strlen(end) + 1), *at;
	struct outcome o;

	at = stpcpy(text, prefix);
	for (int i = 0; i < n; i++)
		at = stpcpy(at, piece);
	at = stpcpy(at, end);
	o = parse_cut(text, (size_t)(at - text), false, 100);
	free(text);
	return o;
}

static void test_bounds_heads(void)
{
	INT_IS(parse_big(G, "A: b\r\n", 99, "\r\n").status, 0);
	INT_IS(parse_big(G, "A: b\r\n", 100, "\r\n").status, 431);
	INT_IS(parse_big(G, "Abcdefghijklmnopqrstuvwxyz: 0123456789\r\n", 5000, "").status, 431);
	INT_IS(parse_big("GET /", "0123456789", 1600, " HTTP/1.1\r\n" H "\r\n").status, 0);
	INT_IS(parse_big("GET /", "0123456789", 2000, " HTTP/1.1\r\n" H "\r\n").status, 414);
	INT_IS(parse_big("", "\r\n", 40000, "").status, 431);
	INT_IS(parse_big(P "Transfer-Encoding: chunked\r\n\r\n0\r\n", "T: v\r\n", 200, "\r\n")
			.status,
		431);
}

static void test_bounds_chunk_framing(void)
{
	INT_IS(parse_big(P "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", 30000, "0\r\n\r\n")
			.status,
		0);
	INT_IS(parse_big(P "Transfer-Encoding: chunked\r\n\r\n1;", "xxxxxxxxxx", 10000, "").status,
		400);
}

static void test_head_refuses_injection(void)
{
	struct http_head h;

	http_head_init(&h);
	INT_IS(http_head_add(&h, "A", "b\r\nC: d"), -EINVAL);
	INT_IS(http_head_add(&h, "A\r\n", "b"), -EINVAL);
	INT_IS(http_head_add(&h, "A b", "c"), -EINVAL);
	INT_IS(http_head_add(&h, "", "c"), -EINVAL);
	INT_IS(http_head_set_request(&h, "GET", "/ x"), -EINVAL);
	INT_IS(http_head_set_request(&h, "G T", "/"), -EINVAL);
	INT_IS(http_head_set_request(&h, "GET", "/\r\n"), -EINVAL);
	INT_IS(http_head_set_status(&h, 99), -EINVAL);
	INT_IS(h.n_headers, 0);
	http_head_fini(&h);
}

static void test_head_strips_hop_by_hop(void)
{
	struct http_head h;

	http_head_init(&h);
	http_head_add(&h, "Connection", "close, X-Mine, Host");
	http_head_add(&h, "X-Mine", "1");
	http_head_add(&h, "Host", "h");
	http_head_add(&h, "TE", "trailers");
	http_head_add(&h, "Accept", "*/*");
	http_head_strip_hop(&h);
	INT_IS(h.n_headers, 2);
	STR_IS(http_head_get(&h, "host"), "h");
	STR_IS(http_head_get(&h, "accept"), "*/*");
	http_head_fini(&h);
}

/* -- Over loopback -- */

struct bench {
	uv_loop_t loop;
	struct listener *listener;
	struct sockaddr_storage at;
	struct tls_ctx *server_tls, *client_tls;
	struct cert_ca *ca;
	struct http_limits limits;
	/* server side */
	int requests, ends, last_why, refused, conns_closed;
	char body[65536];
	size_t body_len;
	struct http_request *held;
	bool hold;
	struct stream *tunnel;
	char tunnel_got[256];
	bool tunnel_tls;
	uint64_t big_left;
	/* client side */
	struct stream *raw;
	char got[262144];
	size_t got_len;
	bool raw_closed;
	int raw_why;
	bool pause_body; /* at each piece */
	uv_timer_t guard;
};

static void on_guard(uv_timer_t *t)
{
	(void)t;
	printf("Bail out! a test did not end\n");
	exit(1);
}

static const struct stream_ops tunnel_ops;

static void on_tunnel_read(struct stream *s, const void *data, size_t len)
{
	struct bench *b = stream_data(s);

	strncat(b->tunnel_got, data, len);
	stream_write(s, "echo:", 5);
	stream_write(s, data, len);
}

static void on_tunnel_close(struct stream *s, int why)
{
	struct bench *b = stream_data(s);

	(void)why;
	b->tunnel = NULL;
}

static const struct stream_ops tunnel_ops = {
	.on_read = on_tunnel_read,
	.on_close = on_tunnel_close,
};

static void tunnel(struct bench *b, struct http_request *req)
{
	struct http_head h;

	http_head_init(&h);
	http_head_set_status(&h, 200);
	b->tunnel = http_request_handover(req, &h);
	http_head_fini(&h);
	OK(b->tunnel != NULL);
	stream_set_ops(b->tunnel, &tunnel_ops, b);
	if (b->tunnel_tls)
		OK(stream_start_tls_server(b->tunnel, b->server_tls, "h.example") == 0);
	else
		stream_resume(b->tunnel);
}

static void send_big(struct bench *b, struct http_request *req)
{
	static char block[16384];

	while (b->big_left && !http_response_is_full(req)) {
		size_t n = b->big_left < sizeof(block) ? b->big_left : sizeof(block);

		OK(http_response_write(req, block, n) == 0);
		b->big_left -= n;
	}
	OK(stream_pending(http_conn_stream(http_request_conn(req))) < 512 * 1024);
	if (!b->big_left)
		OK(http_response_end(req, NULL) == 0);
}

static void on_request(struct http_request *req)
{
	struct bench *b = http_conn_data(http_request_conn(req));
	const struct http_head *h = http_request_head(req);
	struct http_head r;

	b->requests++;
	b->body_len = 0;
	if (http_request_is_connect(req)) {
		tunnel(b, req);
	} else if (!strcmp(h->target, "/now")) {
		OK(http_respond(req, 200, "text/plain", "now", 3) == 0);
	} else if (!strcmp(h->target, "/chunked")) {
		http_head_init(&r);
		http_head_set_status(&r, 200);
		http_head_add(&r, "Content-Length", "999");
		OK(http_response_start(req, &r, HTTP_BODY_CHUNKED, 0) == 0);
		http_head_fini(&r);
		OK(http_response_write(req, "ab", 2) == 0);
		OK(http_response_write(req, "cde", 3) == 0);
		OK(http_response_end(req, NULL) == 0);
	} else if (!strcmp(h->target, "/204")) {
		OK(http_respond(req, 204, NULL, NULL, 0) == 0);
	} else if (!strcmp(h->target, "/big")) {
		http_head_init(&r);
		http_head_set_status(&r, 200);
		b->big_left = 20 * 1024 * 1024;
		OK(http_response_start(req, &r, HTTP_BODY_LENGTH, b->big_left) == 0);
		http_head_fini(&r);
		send_big(b, req);
	} else if (b->hold) {
		b->held = req;
	}
}

static void on_drain(struct http_request *req)
{
	struct bench *b = http_conn_data(http_request_conn(req));

	send_big(b, req);
}

static void on_body(struct http_request *req, const void *data, size_t len)
{
	struct bench *b = http_conn_data(http_request_conn(req));

	if (b->body_len + len <= sizeof(b->body))
		memcpy(b->body + b->body_len, data, len);
	b->body_len += len;
	if (b->pause_body)
		http_request_pause(req);
}

static void on_body_end(struct http_request *req)
{
	struct bench *b = http_conn_data(http_request_conn(req));

	if (!b->held && !http_response_started(req))
		OK(http_respond(req, 200, "text/plain", b->body, b->body_len) == 0);
}

static void on_end(struct http_request *req, int why)
{
	struct bench *b = http_conn_data(http_request_conn(req));

	b->ends++;
	b->last_why = why;
	if (b->held == req)
		b->held = NULL;
}

static void on_refused(struct http_conn *c, int status, const char *reason)
{
	struct bench *b = http_conn_data(c);

	OK(reason[0] != '\0');
	b->refused = status;
}

static void on_conn_close(struct http_conn *c, int why)
{
	struct bench *b = http_conn_data(c);

	(void)why;
	b->conns_closed++;
}

static const struct http_server_ops server_ops = {
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_end = on_end,
	.on_refused = on_refused,
	.on_close = on_conn_close,
};

static void on_accept(struct listener *l, int fd, const struct sockaddr *peer, void *data)
{
	struct bench *b = data;
	struct stream *s;
	struct tls_ctx *tls = b->tunnel_tls ? NULL : b->server_tls;

	(void)l;
	(void)peer;
	OK(stream_accept(&b->loop, fd, tls, NULL, &tunnel_ops, NULL, &s) == 0);
	OK(http_conn_new(s, &server_ops, &b->limits, b) != NULL);
}

static void open_bench(struct bench *b, bool tls)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memset(b, 0, sizeof(*b));
	b->limits = http_default_limits;
	uv_loop_init(&b->loop);
	uv_timer_init(&b->loop, &b->guard);
	uv_timer_start(&b->guard, on_guard, 60000, 0);
	uv_unref((uv_handle_t *)&b->guard);
	OK(listener_open(&b->loop, (struct sockaddr *)&at, NULL, on_accept, b, &b->listener) == 0);
	listener_address(b->listener, &b->at);
	if (tls) {
		struct cert_spec spec = { .host = "h.example" };
		struct tls_config cfg = { .is_server = true };
		char *pem = NULL, *key = NULL;

		OK(cert_make_root("Test Root", time(NULL), &b->ca) == 0);
		OK(cert_issue(b->ca, &spec, &pem, &key) == 0);
		OK(tls_cert_new(pem, key, &cfg.cert) == 0);
		OK(tls_ctx_new(&cfg, &b->server_tls) == 0);
		tls_cert_free(cfg.cert);
		free(pem);
		free(key);
		cfg = (struct tls_config){ .ca_pem = cert_ca_pem(b->ca), .session_cache = 4 };
		OK(tls_ctx_new(&cfg, &b->client_tls) == 0);
	}
}

static void close_bench(struct bench *b)
{
	listener_close(b->listener);
	uv_close((uv_handle_t *)&b->guard, NULL);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&b->loop), 0);
	tls_ctx_free(b->server_tls);
	tls_ctx_free(b->client_tls);
	cert_ca_free(b->ca);
}

static void on_raw_read(struct stream *s, const void *data, size_t len)
{
	struct bench *b = stream_data(s);

	if (b->got_len + len < sizeof(b->got)) {
		memcpy(b->got + b->got_len, data, len);
		b->got[b->got_len + len] = '\0';
	}
	b->got_len += len;
}

static void on_raw_close(struct stream *s, int why)
{
	struct bench *b = stream_data(s);

	b->raw = NULL;
	b->raw_closed = true;
	b->raw_why = why;
}

static const struct stream_ops raw_ops = { .on_read = on_raw_read, .on_close = on_raw_close };

static void raw_connect(struct bench *b)
{
	b->got_len = 0;
	b->got[0] = '\0';
	b->raw_closed = false;
	OK(stream_connect(&b->loop, (struct sockaddr *)&b->at, NULL, NULL, NULL, &raw_ops, b,
		   &b->raw) == 0);
	while (!b->raw_closed && !stream_is_open(b->raw))
		uv_run(&b->loop, UV_RUN_ONCE);
}

static bool contains(const struct bench *b, const char *text)
{
	return strstr(b->got, text) != NULL;
}

static void wait_for(struct bench *b, const char *text)
{
	while (!b->raw_closed && !contains(b, text))
		uv_run(&b->loop, UV_RUN_ONCE);
	if (!contains(b, text)) {
		OK(!"text came");
		printf("# wanted %s, got %s\n", text, b->got);
	}
}

static void wait_closed(struct bench *b)
{
	while (!b->raw_closed)
		uv_run(&b->loop, UV_RUN_ONCE);
}

static void hang_up(struct bench *b)
{
	if (b->raw)
		stream_close(b->raw, 0);
	wait_closed(b);
}

static void send_text(struct bench *b, const char *text)
{
	OK(stream_write(b->raw, text, strlen(text)) == 0);
}

static void test_answers_bad_requests_and_closes(void)
{
	static const struct {
		const char *in;
		const char *answer;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "BREW / HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 501 Not Implemented\r\n" },
		{ "GET / HTTP/3.0\r\n" H "\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n" },
		{ P "Content-Length: 5000000\r\n\r\n", "HTTP/1.1 413 Content Too Large\r\n" },
	};
	struct bench b;

	open_bench(&b, false);
	b.limits.max_body = 1000;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		b.refused = 0;
		raw_connect(&b);
		send_text(&b, rows[i].in);
		wait_closed(&b);
		OK(contains(&b, rows[i].answer));
		OK(contains(&b, "Connection: close\r\n"));
		OK(b.refused >= 400);
	}
	INT_IS(b.requests, 0);
	close_bench(&b);
}

static void test_chunked_body_over_the_limit_is_413(void)
{
	struct bench b;

	open_bench(&b, false);
	b.limits.max_body = 4;
	raw_connect(&b);
	send_text(&b, P "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
	wait_closed(&b);
	OK(contains(&b, "HTTP/1.1 413 "));
	INT_IS(b.last_why, -EMSGSIZE);
	close_bench(&b);
}

static void test_keeps_alive_and_pipelines_in_order(void)
{
	struct bench b;

	open_bench(&b, false);
	raw_connect(&b);
	send_text(&b, P "Content-Length: 3\r\n\r\none" P "Content-Length: 3\r\n\r\ntwo"
			"GET /now HTTP/1.1\r\n" H "\r\n"
			"GET /204 HTTP/1.1\r\n" H "\r\n"
			"HEAD /now HTTP/1.1\r\n" H "\r\n"
			"GET /now HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	wait_closed(&b);
	INT_IS(b.requests, 6);
	INT_IS(b.ends, 6);
	const char *one = strstr(b.got, "one"), *two = strstr(b.got, "two"),
		   *now = strstr(b.got, "now");
	OK(one && two && now && one < two && two < now);
	const char *no = strstr(b.got, "HTTP/1.1 204");
	OK(no && strstr(no, "Content-Length: 3\r\n\r\nHTTP/1.1 200 OK"));
	OK(!strncmp(b.got + b.got_len - 3, "now", 3));
	close_bench(&b);
}

static void test_next_request_waits_for_the_held_response(void)
{
	struct bench b;

	open_bench(&b, false);
	b.hold = true;
	raw_connect(&b);
	send_text(&b, "GET /hold HTTP/1.1\r\n" H "\r\n"
		      "GET /now HTTP/1.1\r\n" H "\r\n");
	while (!b.held)
		uv_run(&b.loop, UV_RUN_ONCE);
	for (int i = 0; i < 20; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	INT_IS(b.requests, 1);
	OK(http_respond(b.held, 200, NULL, "held", 4) == 0);
	wait_for(&b, "now");
	INT_IS(b.requests, 2);
	OK(strstr(b.got, "held") < strstr(b.got, "now"));
	hang_up(&b);
	close_bench(&b);
}

static void test_chunked_response_ignores_a_length_of_the_owner(void)
{
	struct bench b;

	open_bench(&b, false);
	raw_connect(&b);
	send_text(&b, "GET /chunked HTTP/1.1\r\n" H "\r\n");
	wait_for(&b, "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
	OK(!contains(&b, "999"));
	OK(contains(&b, "Transfer-Encoding: chunked\r\n"));
	hang_up(&b);
	/* HTTP/1.0 has no chunks: until the end. */
	raw_connect(&b);
	send_text(&b, "GET /chunked HTTP/1.0\r\n\r\n");
	wait_closed(&b);
	OK(contains(&b, "\r\n\r\nabcde"));
	OK(!contains(&b, "Transfer-Encoding"));
	close_bench(&b);
}

static void test_says_continue_once(void)
{
	struct bench b;

	open_bench(&b, false);
	raw_connect(&b);
	send_text(&b, P "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	wait_for(&b, "HTTP/1.1 100 Continue\r\n\r\n");
	send_text(&b, "ok");
	wait_for(&b, "\r\n\r\nok");
	hang_up(&b);
	close_bench(&b);
}

/* Until something is heard: where the machine stands still, the server's time may be over before
 * the text comes. */
static void say_in_time(struct bench *b, const char *text)
{
	for (int i = 0; i < 20 && !b->got_len; i++) {
		raw_connect(b);
		if (b->raw)
			send_text(b, text);
		wait_closed(b);
	}
}

static void test_slow_head_is_408(void)
{
	struct bench b;

	open_bench(&b, false);
	b.limits.header_ms = 50;
	say_in_time(&b, "GET / HT");
	OK(contains(&b, "HTTP/1.1 408 "));
	/* Nothing sent at all: no answer. */
	raw_connect(&b);
	wait_closed(&b);
	STR_IS(b.got, "");
	close_bench(&b);
}

static void test_idle_connection_is_closed_silently(void)
{
	struct bench b;

	open_bench(&b, false);
	b.limits.idle_ms = 50;
	say_in_time(&b, "GET /now HTTP/1.1\r\n" H "\r\n");
	OK(b.got_len > 3 && !strncmp(b.got + b.got_len - 3, "now", 3));
	close_bench(&b);
}

static void test_half_closed_client_gets_its_answer(void)
{
	struct bench b;

	open_bench(&b, false);
	b.hold = true;
	raw_connect(&b);
	send_text(&b, "GET /hold HTTP/1.1\r\n" H "\r\n");
	OK(stream_shutdown(b.raw) == 0);
	while (!b.held)
		uv_run(&b.loop, UV_RUN_ONCE);
	for (int i = 0; i < 20; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	OK(b.held && http_respond(b.held, 200, NULL, "late", 4) == 0);
	wait_closed(&b);
	OK(contains(&b, "late"));
	close_bench(&b);
}

static void test_body_cut_short_ends_the_request(void)
{
	struct bench b;

	open_bench(&b, false);
	raw_connect(&b);
	send_text(&b, P "Content-Length: 10\r\n\r\nabc");
	OK(stream_shutdown(b.raw) == 0);
	wait_closed(&b);
	INT_IS(b.requests, 1);
	INT_IS(b.ends, 1);
	INT_IS(b.last_why, -ECONNRESET);
	close_bench(&b);
}

static void test_big_response_is_bounded_by_the_reader(void)
{
	struct bench b;
	size_t want = 20 * 1024 * 1024;

	open_bench(&b, false);
	raw_connect(&b);
	send_text(&b, "GET /big HTTP/1.1\r\n" H "\r\n");
	stream_pause(b.raw);
	while (!b.requests)
		uv_run(&b.loop, UV_RUN_ONCE);
	for (int i = 0; i < 200; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	/* The server stopped: most is yet to be made. */
	OK(b.big_left > want / 4);
	stream_resume(b.raw);
	while (!b.raw_closed && b.got_len < want)
		uv_run(&b.loop, UV_RUN_ONCE);
	OK(b.got_len > want);
	INT_IS(b.ends, 1);
	hang_up(&b);
	close_bench(&b);
}

static void test_connect_hands_over_with_bytes_read_too_far(void)
{
	struct bench b;

	open_bench(&b, false);
	raw_connect(&b);
	send_text(&b, "CONNECT h.example:443 HTTP/1.1\r\n" H "\r\nearly");
	wait_for(&b, "echo:early");
	STR_IS(b.tunnel_got, "early");
	INT_IS(b.ends, 1);
	INT_IS(b.conns_closed, 0);
	hang_up(&b);
	while (b.tunnel)
		uv_run(&b.loop, UV_RUN_ONCE);
	close_bench(&b);
}

static void on_nothing(struct http_client *c)
{
	(void)c;
}

struct tunnel_client {
	struct bench *b;
	struct stream *s;
};

static void on_inner_open(struct stream *s)
{
	stream_write(s, "secret", 6);
}

static const struct stream_ops inner_ops = {
	.on_open = on_inner_open,
	.on_read = on_raw_read,
	.on_close = on_raw_close,
};

static void on_connect_open(struct http_client *c)
{
	struct http_head h;

	http_head_init(&h);
	http_head_set_request(&h, "CONNECT", "h.example:443");
	http_head_add(&h, "Host", "h.example:443");
	OK(http_client_send(c, &h, HTTP_BODY_NONE, 0) == 0);
	http_head_fini(&h);
}

static void on_connect_response(struct http_client *c)
{
	struct bench *b = http_client_data(c);

	INT_IS(http_client_head(c)->status, 200);
	b->raw = http_client_handover(c);
	OK(b->raw != NULL);
	stream_set_ops(b->raw, &inner_ops, b);
	OK(stream_start_tls_client(b->raw, b->client_tls, "h.example") == 0);
}

static void test_connect_then_tls_both_sides(void)
{
	static const struct http_client_ops ops = {
		.on_open = on_connect_open,
		.on_response = on_connect_response,
		.on_response_end = on_nothing,
	};
	struct bench b;
	struct stream *s;

	open_bench(&b, true);
	b.tunnel_tls = true;
	OK(stream_connect(&b.loop, (struct sockaddr *)&b.at, NULL, NULL, NULL, &raw_ops, &b, &s) ==
		0);
	OK(http_client_new(s, &ops, NULL, &b) != NULL);
	while (!contains(&b, "echo:secret") && !b.raw_closed)
		uv_run(&b.loop, UV_RUN_ONCE);
	OK(contains(&b, "echo:secret"));
	hang_up(&b);
	while (b.tunnel)
		uv_run(&b.loop, UV_RUN_ONCE);
	close_bench(&b);
}

/* -- One exchange -- */

struct fetched {
	bool done;
	int err, status;
	enum tls_verify verify;
	char body[1024], error[256];
	size_t len;
};

static void on_fetched(struct http_result *res, void *data)
{
	struct fetched *f = data;

	f->done = true;
	f->err = res->err;
	f->verify = res->verify;
	f->len = res->len;
	f->status = res->head ? res->head->status : 0;
	snprintf(f->error, sizeof(f->error), "%s", res->error);
	snprintf(f->body, sizeof(f->body), "%s", res->body ? res->body : "(null)");
}

static struct fetched fetch(
	struct bench *b, const char *target, const char *body, const char *name, size_t max)
{
	struct fetched f = { 0 };
	struct http_head h;
	struct http_fetch_options opt = { .to = (struct sockaddr *)&b->at,
		.tls = b->client_tls,
		.name = name,
		.head = &h,
		.body = body,
		.len = body ? strlen(body) : 0,
		.max_body = max };

	http_head_init(&h);
	http_head_set_request(&h, body ? "POST" : "GET", target);
	OK(http_fetch(&b->loop, &opt, on_fetched, &f, NULL) == 0);
	http_head_fini(&h);
	while (!f.done)
		uv_run(&b->loop, UV_RUN_ONCE);
	return f;
}

static void test_fetches_plain_and_over_tls(void)
{
	for (int tls = 0; tls < 2; tls++) {
		struct bench b;
		struct fetched f;

		open_bench(&b, tls);
		f = fetch(&b, "/echo", "hello there", "h.example", 0);
		INT_IS(f.err, 0);
		INT_IS(f.status, 200);
		STR_IS(f.body, "hello there");
		f = fetch(&b, "/chunked", NULL, "h.example", 0);
		STR_IS(f.body, "abcde");
		f = fetch(&b, "/204", NULL, "h.example", 0);
		INT_IS(f.status, 204);
		STR_IS(f.body, "");
		f = fetch(&b, "/big", NULL, "h.example", 100000);
		INT_IS(f.err, -EMSGSIZE);
		f = fetch(&b, "/chunked", NULL, "h.example", 4);
		INT_IS(f.err, -EMSGSIZE);
		close_bench(&b);
	}
}

static void test_fetch_names_why_tls_failed(void)
{
	struct bench b;
	struct fetched f;

	open_bench(&b, true);
	f = fetch(&b, "/now", NULL, "other.example", 0);
	INT_IS(f.err, -EBADMSG);
	INT_IS(f.verify, TLS_VERIFY_WRONG_NAME);
	STR_IS(f.error, "tls: certificate is for another name");
	close_bench(&b);
}

static void test_fetch_says_that_nobody_listens(void)
{
	struct bench b;
	struct fetched f;

	open_bench(&b, false);
	((struct sockaddr_in *)&b.at)->sin_port = htons(1);
	f = fetch(&b, "/now", NULL, "h", 0);
	INT_IS(f.err, -ECONNREFUSED);
	STR_IS(f.error, "connect: connection refused");
	close_bench(&b);
}

static void test_fetch_can_be_cancelled(void)
{
	struct bench b;
	struct fetched f = { 0 };
	struct http_head h;
	struct http_fetch *fetch_handle;
	struct http_fetch_options opt = { .to = NULL, .name = "h", .head = &h };

	open_bench(&b, false);
	opt.to = (struct sockaddr *)&b.at;
	http_head_init(&h);
	http_head_set_request(&h, "GET", "/now");
	OK(http_fetch(&b.loop, &opt, on_fetched, &f, &fetch_handle) == 0);
	http_head_fini(&h);
	http_fetch_cancel(fetch_handle);
	close_bench(&b);
	OK(!f.done);
}

/* -- Pauses -- */

static void test_body_paused_at_its_last_byte_still_ends(void)
{
	struct bench b;

	open_bench(&b, false);
	b.pause_body = true;
	raw_connect(&b);
	send_text(&b, "POST /echo HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nabcd");
	wait_for(&b, "abcd");
	/* The pause of a request that is over holds nobody back. */
	send_text(&b, "GET /now HTTP/1.1\r\n" H "\r\n");
	wait_for(&b, "now");
	INT_IS(b.ends, 2);
	hang_up(&b);
	close_bench(&b);
}

struct pausing {
	int ends;
	bool closed;
};

static void pausing_send(struct http_client *c)
{
	struct http_head h;

	http_head_init(&h);
	http_head_set_request(&h, "GET", "/now");
	http_head_add(&h, "Host", "h.example");
	OK(http_client_send(c, &h, HTTP_BODY_NONE, 0) == 0);
	http_head_fini(&h);
}

static void on_pausing_body(struct http_client *c, const void *data, size_t len)
{
	(void)data;
	(void)len;
	http_client_pause(c);
}

static void on_pausing_end(struct http_client *c)
{
	struct pausing *p = http_client_data(c);

	OK(http_client_is_idle(c));
	if (++p->ends == 1)
		pausing_send(c);
}

static void on_pausing_close(struct http_client *c, int why)
{
	struct pausing *p = http_client_data(c);

	INT_IS(why, 0);
	p->closed = true;
}

static void test_response_paused_at_its_last_byte_still_ends(void)
{
	static const struct http_client_ops ops = {
		.on_open = pausing_send,
		.on_response = on_nothing,
		.on_body = on_pausing_body,
		.on_response_end = on_pausing_end,
		.on_close = on_pausing_close,
	};
	struct bench b;
	struct pausing p = { 0 };
	struct http_client *c;
	struct stream *s;

	open_bench(&b, false);
	OK(stream_connect(&b.loop, (struct sockaddr *)&b.at, NULL, NULL, NULL, &raw_ops, &b, &s) ==
		0);
	c = http_client_new(s, &ops, NULL, &p);
	OK(c != NULL);
	while (p.ends < 2)
		uv_run(&b.loop, UV_RUN_ONCE);
	/* Idle and not paused: it sees that the server goes. */
	OK(!stream_is_paused(http_client_stream(c)));
	http_client_close(c, 0);
	while (!p.closed)
		uv_run(&b.loop, UV_RUN_ONCE);
	close_bench(&b);
}

/* -- A client connection used again -- */

struct reuse {
	struct bench *b;
	int responses;
	char bodies[256];
};

static void reuse_send(struct http_client *c)
{
	struct http_head h;

	http_head_init(&h);
	http_head_set_request(&h, "POST", "/echo");
	http_head_add(&h, "Host", "h.example");
	OK(http_client_send(c, &h, HTTP_BODY_CHUNKED, 0) == 0);
	http_head_fini(&h);
	OK(http_client_write(c, "a", 1) == 0);
	OK(http_client_write(c, "bc", 2) == 0);
	OK(http_client_end(c, NULL) == 0);
	OK(!http_client_is_idle(c));
}

static void on_reuse_body(struct http_client *c, const void *data, size_t len)
{
	struct reuse *r = http_client_data(c);

	strncat(r->bodies, data, len);
}

static void on_reuse_end(struct http_client *c)
{
	struct reuse *r = http_client_data(c);

	OK(http_client_is_idle(c));
	if (++r->responses < 3)
		reuse_send(c);
	else
		http_client_close(c, 0);
}

static void test_client_connection_is_used_again(void)
{
	static const struct http_client_ops ops = {
		.on_open = reuse_send,
		.on_response = on_nothing,
		.on_body = on_reuse_body,
		.on_response_end = on_reuse_end,
	};
	struct bench b;
	struct reuse r = { .b = &b };
	struct stream *s;

	open_bench(&b, true);
	OK(stream_connect(&b.loop, (struct sockaddr *)&b.at, b.client_tls, "h.example", NULL,
		   &raw_ops, &b, &s) == 0);
	OK(http_client_new(s, &ops, NULL, &r) != NULL);
	while (r.responses < 3)
		uv_run(&b.loop, UV_RUN_ONCE);
	STR_IS(r.bodies, "abcabcabc");
	INT_IS(b.requests, 3);
	close_bench(&b);
}

int main(void)
{
	TAP_RUN(test_requests_good_and_bad_however_split);
	TAP_RUN(test_responses_good_and_bad_however_split);
	TAP_RUN(test_refuses_nul_in_a_head);
	TAP_RUN(test_bounds_heads);
	TAP_RUN(test_bounds_chunk_framing);
	TAP_RUN(test_head_refuses_injection);
	TAP_RUN(test_head_strips_hop_by_hop);
	TAP_RUN(test_answers_bad_requests_and_closes);
	TAP_RUN(test_chunked_body_over_the_limit_is_413);
	TAP_RUN(test_keeps_alive_and_pipelines_in_order);
	TAP_RUN(test_next_request_waits_for_the_held_response);
	TAP_RUN(test_chunked_response_ignores_a_length_of_the_owner);
	TAP_RUN(test_says_continue_once);
	TAP_RUN(test_slow_head_is_408);
	TAP_RUN(test_idle_connection_is_closed_silently);
	TAP_RUN(test_half_closed_client_gets_its_answer);
	TAP_RUN(test_body_cut_short_ends_the_request);
	TAP_RUN(test_big_response_is_bounded_by_the_reader);
	TAP_RUN(test_connect_hands_over_with_bytes_read_too_far);
	TAP_RUN(test_connect_then_tls_both_sides);
	TAP_RUN(test_fetches_plain_and_over_tls);
	TAP_RUN(test_fetch_names_why_tls_failed);
	TAP_RUN(test_fetch_says_that_nobody_listens);
	TAP_RUN(test_fetch_can_be_cancelled);
	TAP_RUN(test_body_paused_at_its_last_byte_still_ends);
	TAP_RUN(test_response_paused_at_its_last_byte_still_ends);
	TAP_RUN(test_client_connection_is_used_again);
	return tap_done();
}
