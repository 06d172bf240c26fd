/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * web-origin INET_PID GATEWAY_PID ADDRESS CANNED_ADDRESS CHAIN_PEM KEY_PEM
 *
 * The web behind the proxies of tests/bench/proxyd, one thread. In the network namespace of
 * INET_PID: HTTP on ADDRESS:80, HTTPS on ADDRESS:443, and CANNED_ADDRESS:443, which answers a
 * ClientHello with WEB_FLIGHT_LEN bytes and then speaks plain HTTP. Every host has the pages / (100
 * bytes), /10k, /10m, /news, /search and /picture (10 KB each, the last one a PNG); queries are not
 * looked at. In that of GATEWAY_PID: DNS on 127.0.0.1, ports 53 and
 * 5300; names ending in "canned.example" have CANNED_ADDRESS, all others ADDRESS, none an IPv6
 * address. Prints "ready"; ends by a signal.
 */
#include "tests/bench/tools/dns-question.h"
#include "tests/bench/tools/web.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum {
	FDS_MAX = 65536,
	EVENTS = 256,
	REQUEST_MAX = 8192,
	DATAGRAM_MAX = 1500,
	DNS_RECORD_LEN = 16,
	PIECE = 16384, /* one TLS record */
};

enum kind { KIND_PLAIN, KIND_TLS, KIND_CANNED, KIND_DNS };

/* A listener, a DNS socket, or a connection. */
struct conn {
	int fd;
	enum kind kind;
	bool is_listener;
	bool is_greeted; /* canned: the hello was answered */
	bool is_waiting; /* for room to send */
	SSL *ssl;
	const char *out; /* of a page */
	size_t left;
	size_t request_len;
	char request[REQUEST_MAX];
};

struct page {
	const char *path;
	size_t body_len;
	char *data; /* the whole response */
	size_t len;
	const char *text; /* over and over; NULL: a short plain one */
	bool is_picture;
};

struct origin {
	int epoll;
	struct conn *conns[FDS_MAX]; /* by descriptor */
	SSL_CTX *tls;
	struct in_addr address, canned;
	struct page pages[6];
	char flight[WEB_FLIGHT_LEN];
};

/* ---- pages ---- */

/* What a page of news looks like to filters; one word of it is masked by tests/bench/filters. */
static const char news[] =
	"<article class=\"story story--wide\" id=\"s4711\"><h2><a "
	"href=\"/news/4711?from=home&amp;n=3\">Of "
	"rivers and harbours</a></h2><img src=\"/img/4711.jpg\" alt=\"A harbour\" width=\"640\">"
	"<p>What is carried down by the rivers, year after year, settles where nobody looks for "
	"it; the ports&rsquo; own accounts, which begin in 1871, say little of it. <em>Whoever "
	"reads them</em> finds weights, wages, a forbiddenword, and the weather.</p>\n"
	"<script>window.stories = window.stories || []; stories.push({id: 4711, title: \"Of rivers "
	"and harbours\", seen: false, tags: [\"water\", 'trade']});</script><!-- end of story -->\n"
	"<p>There was no bridge before the second war, and the ferry, as those remember who were "
	"children then, took cattle first and people afterwards.</p></article>\n";

/* The beginning of a PNG of 640x480. */
static const char picture[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\x80\0\0\1\xe0\x8\6\0\0\0"
			      "\x35\xd1\xdc\xe4";

static void page_make(struct page *p)
{
	static const char plain[] = "<p>A page to be measured with, of no interest otherwise.\n";
	const char *text = p->text ? p->text : plain;
	size_t text_len = strlen(text);
	char date[64];
	time_t now = time(NULL);
	struct tm tm;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	p->data = malloc(p->body_len + 256);
	if (!p->data)
		err(1, NULL);
	int n = sprintf(p->data,
		"HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: %s\r\n"
		"Cache-Control: no-store\r\nContent-Length: %zu\r\n\r\n",
		date, p->is_picture ? "image/png" : "text/html", p->body_len);
	for (size_t i = 0; i < p->body_len; i++)
		p->data[(size_t)n + i] = text[i % text_len];
	if (p->is_picture)
		memcpy(p->data + n, picture, sizeof(picture) - 1);
	p->len = (size_t)n + p->body_len;
}

static const struct page *page_find(const struct origin *o, const char *request)
{
	const char *path = strchr(request, ' ');
	for (size_t i = 0; path && i < sizeof(o->pages) / sizeof(o->pages[0]); i++) {
		size_t len = strlen(o->pages[i].path);
		if (!strncmp(path + 1, o->pages[i].path, len) && strchr(" ?", path[1 + len]))
			return &o->pages[i];
	}
	return NULL;
}

/* A ServerHello, ChangeCipherSpec, and one record of what looks encrypted. */
static void flight_make(char out[static WEB_FLIGHT_LEN])
{
	static const uint8_t hello[] = { 22, 3, 3, 0, 44, 2, 0, 0, 40, 3, 3 };
	static const uint8_t after[] = { 0, 0xc0, 0x2f, 0, 0, 0, /* the hello's end */
		20, 3, 3, 0, 1, 1, 23, 3, 3 };
	size_t rest = WEB_FLIGHT_LEN - sizeof(hello) - 32 - sizeof(after) - 2;
	memset(out, 0x5a, WEB_FLIGHT_LEN);
	memcpy(out, hello, sizeof(hello));
	char *p = out + sizeof(hello) + 32;
	/* session id of 0 bytes, ECDHE-RSA-AES128-GCM-SHA256, no compression, no extensions */
	memcpy(p, after, sizeof(after));
	p += sizeof(after);
	p[0] = (char)(rest >> 8);
	p[1] = (char)rest;
}

/* ---- connections ---- */

static void watch(const struct origin *o, struct conn *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = c->fd };
	if (epoll_ctl(o->epoll, op, c->fd, &ev))
		err(1, "epoll_ctl");
}

static struct conn *conn_add(struct origin *o, int fd, enum kind kind)
{
	struct conn *c = calloc(1, sizeof(*c));
	if (!c || fd >= FDS_MAX)
		err(1, "connection");
	o->conns[fd] = c;
	c->fd = fd;
	c->kind = kind;
	watch(o, c, EPOLL_CTL_ADD, EPOLLIN);
	return c;
}

static void conn_close(struct origin *o, struct conn *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		ERR_clear_error();
		SSL_free(c->ssl);
	}
	o->conns[c->fd] = NULL;
	close(c->fd);
	free(c);
}

/* > 0, 0 = later, -1 = over. */
static int result(const struct conn *c, int n)
{
	if (n > 0)
		return n;
	if (!c->ssl)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	int why = SSL_get_error(c->ssl, n);
	ERR_clear_error(); /* the queue is the thread's, not the connection's */
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static int conn_read(struct conn *c, char *data, size_t len)
{
	return result(c, c->ssl ? SSL_read(c->ssl, data, (int)len)
				: (int)recv(c->fd, data, len, MSG_DONTWAIT));
}

static int conn_write(struct conn *c, const char *data, size_t len)
{
	return result(c, c->ssl ? SSL_write(c->ssl, data, (int)(len > PIECE ? PIECE : len))
				: (int)send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* What is left of the page; false when the connection is over. */
static bool send_page(const struct origin *o, struct conn *c)
{
	int n = 1;
	while (c->left && (n = conn_write(c, c->out, c->left)) > 0) {
		c->out += n;
		c->left -= (size_t)n;
	}
	if (c->is_waiting != (n == 0)) {
		c->is_waiting = n == 0;
		watch(o, c, EPOLL_CTL_MOD, EPOLLIN | (c->is_waiting ? EPOLLOUT : 0));
	}
	return n >= 0;
}

/* Requests have no bodies, and the next one waits for the page. */
static bool answer_request(const struct origin *o, struct conn *c)
{
	c->request[c->request_len] = 0;
	if (!strstr(c->request, "\r\n\r\n"))
		return c->request_len < REQUEST_MAX - 1;
	const struct page *page = page_find(o, c->request);
	c->request_len = 0;
	if (!page)
		return false;
	c->out = page->data;
	c->left = page->len;
	return send_page(o, c);
}

/* The first record, whole. */
static bool answer_hello(const struct origin *o, struct conn *c)
{
	const uint8_t *r = (const uint8_t *)c->request;
	if (c->request_len < 5 || c->request_len < 5u + (size_t)(r[3] << 8 | r[4]))
		return c->request_len < REQUEST_MAX - 1;
	c->is_greeted = true;
	c->request_len = 0;
	return r[0] == 22 && conn_write(c, o->flight, WEB_FLIGHT_LEN) == WEB_FLIGHT_LEN;
}

static bool on_conn(const struct origin *o, struct conn *c)
{
	if (c->left)
		return send_page(o, c);
	for (;;) {
		int n = conn_read(c, c->request + c->request_len, REQUEST_MAX - 1 - c->request_len);
		if (n <= 0)
			return n == 0;
		c->request_len += (size_t)n;
		bool ok = c->kind == KIND_CANNED && !c->is_greeted ? answer_hello(o, c)
								   : answer_request(o, c);
		if (!ok || c->left)
			return ok;
	}
}

static void on_listener(struct origin *o, const struct conn *l)
{
	int fd, one = 1;
	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		struct conn *c = conn_add(o, fd, l->kind);
		if (l->kind != KIND_TLS)
			continue;
		c->ssl = SSL_new(o->tls);
		if (!c->ssl || !SSL_set_fd(c->ssl, fd))
			errx(1, "SSL_new");
		SSL_set_accept_state(c->ssl);
	}
}

/* ---- names ---- */

/* The whole answer's length; 0 = none. */
static size_t dns_answer(const struct origin *o, uint8_t *msg, size_t len)
{
	static const uint8_t canned[] = "\6canned\7example";
	static const uint8_t record[] = { 0xc0, DNS_HEADER_LEN, 0, 1, 0, 1, 0, 0, 1, 0x2c, 0, 4 };
	size_t end = len < DNS_HEADER_LEN || msg[2] & 0x80 ? 0 : dns_question_end(msg, len);
	if (!end)
		return 0;
	bool is_a = !msg[end - 4] && msg[end - 3] == 1;
	msg[2] = 0x81;
	msg[3] = 0x80;
	memset(msg + 6, 0, 6);
	msg[7] = is_a;
	if (!is_a)
		return end;
	/* The array's final zero is the root label. */
	bool is_canned = end >= DNS_HEADER_LEN + sizeof(canned) + 4 &&
			 !memcmp(msg + end - 4 - sizeof(canned), canned, sizeof(canned));
	memcpy(msg + end, record, sizeof(record));
	memcpy(msg + end + sizeof(record), is_canned ? &o->canned : &o->address, 4);
	return end + DNS_RECORD_LEN;
}

static void on_dns(const struct origin *o, const struct conn *c)
{
	uint8_t msg[DATAGRAM_MAX + DNS_RECORD_LEN];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;
	while ((n = recvfrom(c->fd, msg, DATAGRAM_MAX, MSG_DONTWAIT, (struct sockaddr *)&from,
			&len)) >= 0) {
		size_t out = dns_answer(o, msg, (size_t)n);
		if (out)
			sendto(c->fd, msg, out, 0, (struct sockaddr *)&from, len);
		len = sizeof(from);
	}
}

/* ---- start ---- */

static void open_socket(struct origin *o, struct in_addr at, uint16_t port, enum kind kind)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = at };
	bool is_dns = kind == KIND_DNS;
	int one = 1;
	int fd = socket(
		AF_INET, (is_dns ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || (!is_dns && listen(fd, 4096)))
		err(1, "port %u", port);
	conn_add(o, fd, kind)->is_listener = true;
}

static SSL_CTX *tls_new(const char *chain, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, chain) != 1 ||
		SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		errx(1, "certificate %s", chain);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"web", 3);
	return ctx;
}

static void serve(struct origin *o)
{
	struct epoll_event events[EVENTS];
	for (;;) {
		int n = epoll_wait(o->epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = o->conns[events[i].data.fd];
			if (c->kind == KIND_DNS)
				on_dns(o, c);
			else if (c->is_listener)
				on_listener(o, c);
			else if (!on_conn(o, c))
				conn_close(o, c);
		}
	}
}

int main(int argc, char **argv)
{
	static struct origin o = { .pages = { { "/", 100, NULL, 0, NULL, false },
					   { "/10k", 10240, NULL, 0, NULL, false },
					   { "/10m", 10 << 20, NULL, 0, NULL, false },
					   { "/news", 10240, NULL, 0, news, false },
					   { "/search", 10240, NULL, 0, news, false },
					   { "/picture", 10240, NULL, 0, NULL, true } } };
	if (argc != 7)
		errx(2, "usage: web-origin INET_PID GATEWAY_PID ADDRESS CANNED_ADDRESS CHAIN KEY");
	signal(SIGPIPE, SIG_IGN);
	o.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (o.epoll < 0 || !inet_aton(argv[3], &o.address) || !inet_aton(argv[4], &o.canned))
		errx(2, "not an address");
	for (size_t i = 0; i < sizeof(o.pages) / sizeof(o.pages[0]); i++)
		page_make(&o.pages[i]);
	flight_make(o.flight);
	o.tls = tls_new(argv[5], argv[6]);
	web_enter(argv[1]);
	open_socket(&o, o.address, 80, KIND_PLAIN);
	open_socket(&o, o.address, 443, KIND_TLS);
	open_socket(&o, o.canned, 443, KIND_CANNED);
	web_enter(argv[2]);
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	open_socket(&o, loopback, 53, KIND_DNS);
	open_socket(&o, loopback, 5300, KIND_DNS);
	puts("ready");
	fflush(stdout);
	serve(&o);
}
