/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * web-load KEY=VALUE…: what clients ask of a proxy, one thread, until the time is over.
 *
 *   ns=PID          whose network namespace the clients are in
 *   kind=KIND       cps: connections with one request each; rps: requests over `conns` lasting
 *                   connections; idle: opens all, prints, and holds them until standard input ends
 *   to=ADDRESS:PORT where to connect: the proxy, or the origin (directly, or intercepted)
 *   connect=1       a CONNECT to the proxy comes first
 *   tls=real|canned a handshake; or a ClientHello that a canned origin (web.h) answers
 *   host=NAME       of the site; with hosts=N its first seven characters become a number below N,
 *                   another one for each connection
 *   path=PATH       asked for; PATH|PATH…: in turn, on each connection
 *   other=HOST/PATH what every eighth connection asks for instead
 *   conns=N         at a time
 *   seconds=S       at least, until there was one answer
 *   source=A.B.C.D  with sources=N: the clients' addresses, from this one on, in turn
 *   pids=N,…        whose CPU time is read, begin to end
 *
 * Prints one line of JSON: count (connections or requests), bytes (of bodies), wall_ns, cpu_ns (of
 * pids), p50_ns (of one connection, or one request). Time begins once as many as `conns` have been
 * answered. Anything but a whole answer of status 200 ends it with status 1 and the reason.
 */
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
	HEAD_MAX = 4096,
	PIECE = 65536,
	SAMPLES_MAX = 1 << 20,
	HELLO_MAX = 2048
};
enum {
	HOST_DIGITS = 7,
	PATIENCE_MS = 20000,
	PIDS_MAX = 64,
	AT_ONCE = 64,
	PATHS_MAX = 16,
	OTHER_EACH = 8
};

enum step { STEP_CONNECT, STEP_TUNNEL, STEP_HANDSHAKE, STEP_FLIGHT, STEP_RESPONSE, STEP_IDLE };

struct options {
	const char *kind, *tls, *host;
	const char *paths[PATHS_MAX];
	const char *other_host, *other_path; /* NULL: none */
	size_t n_paths;
	bool by_connect;
	unsigned hosts, conns, sources;
	double seconds;
	struct sockaddr_in to, source;
};

struct conn {
	int fd;
	enum step step;
	bool is_ready;	   /* has had its first answer */
	bool is_head_done; /* of the response */
	bool is_chunked;
	char tail[7]; /* of a chunked body, the last bytes that came */
	unsigned host;
	bool is_other;
	unsigned asked; /* requests */
	SSL *ssl;
	uint64_t begun;
	size_t got;  /* of the flight */
	size_t left; /* of the body */
	size_t head_len;
	char head[HEAD_MAX];
};

struct load {
	struct options opt;
	int epoll;
	struct conn *conns[FDS_MAX]; /* by descriptor */
	SSL_CTX *tls;
	uint8_t hello[HELLO_MAX];
	size_t hello_len, hello_host; /* where the name begins */
	unsigned opened, ready;
	uint64_t count, bytes, began, end, cpu;
	clockid_t clocks[PIDS_MAX];
	size_t n_clocks;
	uint32_t *samples; /* ns */
	size_t n_samples;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	return clock_gettime(clock, &t) ? 0
					: (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t cpu_ns(const struct load *l)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < l->n_clocks; i++)
		sum += clock_ns(l->clocks[i]);
	return sum;
}

static bool is_kind(const struct load *l, const char *kind)
{
	return !strcmp(l->opt.kind, kind);
}

static void host_name(const struct load *l, const struct conn *c, char out[static 256])
{
	snprintf(out, 256, "%s", c->is_other ? l->opt.other_host : l->opt.host);
	if (l->opt.hosts && !c->is_other) {
		char digits[16];
		snprintf(digits, sizeof(digits), "h%06u", c->host % 1000000u);
		memcpy(out, digits, HOST_DIGITS);
	}
}

__attribute__((noreturn)) static void die(
	const struct load *l, const struct conn *c, const char *what)
{
	static const char *const steps[] = { "connect", "CONNECT", "handshake", "hello", "response",
		"idle" };
	char host[256];
	host_name(l, c, host);
	errx(1, "%s, %s, after %llu: %s", steps[c->step], host, (unsigned long long)l->count, what);
}

/* ---- bytes ---- */

/* > 0, or 0 = later; an end is none of the answers that are awaited. */
static size_t conn_read(const struct load *l, struct conn *c, void *data, size_t len)
{
	if (!c->ssl) {
		ssize_t n = recv(c->fd, data, len, MSG_DONTWAIT);
		if (n == 0)
			die(l, c, "closed");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			die(l, c, strerror(errno));
		return n > 0 ? (size_t)n : 0;
	}
	int n = SSL_read(c->ssl, data, (int)len);
	int why = n > 0 ? 0 : SSL_get_error(c->ssl, n);
	if (why && why != SSL_ERROR_WANT_READ)
		die(l, c, why == SSL_ERROR_ZERO_RETURN ? "closed" : "broken off");
	return n > 0 ? (size_t)n : 0;
}

static void conn_write(const struct load *l, struct conn *c, const void *data, size_t len)
{
	ssize_t n =
		c->ssl ? SSL_write(c->ssl, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);
	if (n != (ssize_t)len)
		die(l, c, "does not take a few bytes");
}

static void watch(const struct load *l, struct conn *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = c->fd };
	if (epoll_ctl(l->epoll, op, c->fd, &ev))
		err(1, "epoll_ctl");
}

/* ---- the life of a connection ---- */

static void conn_open(struct load *l)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct sockaddr_in from = l->opt.source;
	int one = 1;
	if (!c)
		err(1, NULL);
	from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + l->opened % l->opt.sources);
	c->host = l->opt.hosts ? l->opened % l->opt.hosts : 0;
	c->is_other = l->opt.other_host && l->opened % OTHER_EACH == OTHER_EACH - 1;
	l->opened++;
	c->begun = now();
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || c->fd >= FDS_MAX)
		err(1, "socket");
	l->conns[c->fd] = c;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) ||
		(connect(c->fd, (struct sockaddr *)&l->opt.to, sizeof(l->opt.to)) &&
			errno != EINPROGRESS))
		die(l, c, strerror(errno));
	watch(l, c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void conn_close(struct load *l, struct conn *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		ERR_clear_error(); /* the queue is the thread's, not the connection's */
		SSL_free(c->ssl);
	}
	l->conns[c->fd] = NULL;
	close(c->fd);
	free(c);
}

static void send_request(struct load *l, struct conn *c)
{
	char text[1024], host[256];
	const char *path =
		c->is_other ? l->opt.other_path : l->opt.paths[c->asked++ % l->opt.n_paths];
	host_name(l, c, host);
	int n = snprintf(text, sizeof(text),
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: web-load\r\nAccept: */*\r\n\r\n", path,
		host);
	c->step = STEP_RESPONSE;
	c->head_len = 0;
	c->is_head_done = false;
	if (!is_kind(l, "cps"))
		c->begun = now();
	conn_write(l, c, text, (size_t)n);
}

static void start_handshake(struct load *l, struct conn *c)
{
	char host[256];
	host_name(l, c, host);
	if (l->tls) {
		c->step = STEP_HANDSHAKE;
		c->ssl = SSL_new(l->tls);
		if (!c->ssl || !SSL_set_fd(c->ssl, c->fd) ||
			!SSL_set_tlsext_host_name(c->ssl, host))
			errx(1, "SSL_new");
		SSL_set_connect_state(c->ssl);
		return;
	}
	c->step = STEP_FLIGHT;
	memcpy(l->hello + l->hello_host, host, strlen(host));
	conn_write(l, c, l->hello, l->hello_len);
}

static void on_connected(struct load *l, struct conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		die(l, c, strerror(error));
	watch(l, c, EPOLL_CTL_MOD, EPOLLIN);
	if (!l->opt.by_connect) {
		start_handshake(l, c);
		return;
	}
	char text[600], host[256];
	host_name(l, c, host);
	int n = snprintf(
		text, sizeof(text), "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host);
	c->step = STEP_TUNNEL;
	conn_write(l, c, text, (size_t)n);
}

static void sample(struct load *l, uint64_t ns)
{
	if (l->n_samples < SAMPLES_MAX)
		l->samples[l->n_samples++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static void begin_time(struct load *l)
{
	l->began = now();
	l->end = l->began + (uint64_t)(l->opt.seconds * 1e9);
	l->cpu = cpu_ns(l);
	l->count = l->bytes = l->n_samples = 0;
}

/* The answer is whole; c may be gone afterwards. */
static void on_answer(struct load *l, struct conn *c)
{
	bool is_cps = is_kind(l, "cps"), is_first = !c->is_ready;
	c->is_ready = true;
	c->step = STEP_IDLE;
	l->count++;
	sample(l, now() - c->begun);
	if (is_first && ++l->ready == l->opt.conns)
		begin_time(l);
	if (is_cps)
		conn_close(l, c);
	else if (is_kind(l, "rps"))
		send_request(l, c);
	if (is_cps || (is_first && l->opened < l->opt.conns))
		conn_open(l);
}

/* Bytes of a head, up to and with its empty line. How many were used; is_head_done is set at the
 * end. */
static size_t take_head(const struct load *l, struct conn *c, const char *data, size_t len)
{
	size_t before = c->head_len, room = HEAD_MAX - 1 - before;
	size_t n = len < room ? len : room;
	memcpy(c->head + before, data, n);
	c->head_len += n;
	c->head[c->head_len] = 0;
	const char *end = strstr(c->head, "\r\n\r\n");
	if (!end) {
		if (c->head_len == HEAD_MAX - 1)
			die(l, c, "endless head");
		return n;
	}
	c->head_len = (size_t)(end - c->head) + 4;
	c->head[c->head_len] = 0;
	if (strncmp(c->head, "HTTP/1.", 7) != 0 || strncmp(c->head + 8, " 200 ", 5) != 0)
		die(l, c, c->head);
	c->is_head_done = true;
	return c->head_len - before;
}

static void take_framing(const struct load *l, struct conn *c)
{
	const char *length = strcasestr(c->head, "\r\ncontent-length:");
	c->is_chunked = strcasestr(c->head, "\r\ntransfer-encoding: chunked");
	memset(c->tail, 0, sizeof(c->tail));
	if (!length && !c->is_chunked)
		die(l, c, "no length");
	if (length)
		c->left = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
}

/* Nothing is asked for before an answer is whole, and its bodies are text that holds no such line:
 * it ends where what came does. */
static bool has_last_chunk(struct conn *c, const char *data, size_t len)
{
	size_t n = sizeof(c->tail), more = len < n ? len : n;
	memmove(c->tail, c->tail + more, n - more);
	memcpy(c->tail + n - more, data + len - more, more);
	return !memcmp(c->tail, "\r\n0\r\n\r\n", n);
}

/* False when the answer is whole; c may be gone then. */
static bool take_response(struct load *l, struct conn *c, const char *data, size_t len)
{
	if (!c->is_head_done) {
		size_t used = take_head(l, c, data, len);
		if (!c->is_head_done)
			return true;
		take_framing(l, c);
		data += used;
		len -= used;
	}
	if (c->is_chunked) {
		l->bytes += len;
		if (!has_last_chunk(c, data, len))
			return true;
		on_answer(l, c);
		return false;
	}
	if (len > c->left)
		die(l, c, "longer than it said");
	c->left -= len;
	l->bytes += len;
	if (c->left)
		return true;
	on_answer(l, c);
	return false;
}

static void on_handshake(struct load *l, struct conn *c)
{
	int n = SSL_do_handshake(c->ssl);
	if (n == 1)
		send_request(l, c);
	else if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
		die(l, c, "failed");
}

static void take_tunnel(struct load *l, struct conn *c, const char *data, size_t len)
{
	if (take_head(l, c, data, len) != len)
		die(l, c, "says more than it was asked");
	if (!c->is_head_done)
		return;
	start_handshake(l, c);
	if (c->step == STEP_HANDSHAKE)
		on_handshake(l, c);
}

static void take_flight(struct load *l, struct conn *c, size_t len)
{
	c->got += len;
	if (c->got > WEB_FLIGHT_LEN)
		die(l, c, "longer than the origin's");
	if (c->got == WEB_FLIGHT_LEN)
		send_request(l, c);
}

static void on_data(struct load *l, struct conn *c)
{
	static char data[PIECE];
	size_t n;
	bool more = true;
	while (more && (n = conn_read(l, c, data, sizeof(data))) > 0) {
		switch (c->step) {
		case STEP_TUNNEL:
			take_tunnel(l, c, data, n);
			more = c->step != STEP_HANDSHAKE;
			break;
		case STEP_FLIGHT:
			take_flight(l, c, n);
			break;
		case STEP_RESPONSE:
			more = take_response(l, c, data, n);
			break;
		case STEP_CONNECT:
		case STEP_HANDSHAKE:
		case STEP_IDLE:
			die(l, c, "speaks unasked");
		}
	}
}

static void on_event(struct load *l, struct conn *c)
{
	if (c->step == STEP_CONNECT)
		on_connected(l, c);
	if (c->step == STEP_HANDSHAKE)
		on_handshake(l, c);
	else
		on_data(l, c);
}

/* ---- start ---- */

/* The ClientHello that this library makes, for a name that is written over. */
static void make_hello(struct load *l)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	const struct conn none = { 0 };
	char host[256];
	host_name(l, &none, host);
	if (!ssl || !in || !out || !SSL_set_tlsext_host_name(ssl, host))
		errx(1, "SSL_new");
	SSL_set_bio(ssl, in, out);
	SSL_connect(ssl);
	int n = BIO_read(out, l->hello, sizeof(l->hello));
	uint8_t *name = n > 0 ? memmem(l->hello, (size_t)n, host, strlen(host)) : NULL;
	if (!name)
		errx(1, "no ClientHello");
	l->hello_len = (size_t)n;
	l->hello_host = (size_t)(name - l->hello);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void parse_endpoint(const char *text, struct sockaddr_in *out)
{
	char address[64];
	snprintf(address, sizeof(address), "%s", text);
	char *colon = strchr(address, ':');
	if (colon)
		*colon = 0;
	out->sin_family = AF_INET;
	out->sin_port = htons(colon ? (uint16_t)atoi(colon + 1) : 0);
	if (!inet_aton(address, &out->sin_addr))
		errx(2, "not an address: %s", text);
}

static void parse_pids(struct load *l, const char *text)
{
	while (*text) {
		char *end;
		long pid = strtol(text, &end, 10);
		if (end == text || l->n_clocks == PIDS_MAX)
			errx(2, "pids: %s", text);
		/* clock_getcpuclockid(3) of the whole process, of another user too */
		l->clocks[l->n_clocks++] = (clockid_t)(~pid * 8 | 2);
		text = *end == ',' ? end + 1 : end;
	}
}

static void parse_paths(struct options *o, char *text)
{
	o->n_paths = 0;
	for (char *path; (path = strsep(&text, "|")) != NULL;) {
		if (o->n_paths == PATHS_MAX)
			errx(2, "too many paths");
		o->paths[o->n_paths++] = path;
	}
}

/* HOST/PATH; the host gets an end of its own. */
static void parse_other(struct options *o, const char *text)
{
	const char *path = strchr(text, '/');
	if (!path)
		errx(2, "other: %s", text);
	o->other_path = path;
	o->other_host = strndup(text, (size_t)(path - text));
	if (!o->other_host)
		err(1, NULL);
}

static void parse_option(struct load *l, char *word)
{
	struct options *o = &l->opt;
	char *value = strchr(word, '=');
	if (!value)
		errx(2, "not KEY=VALUE: %s", word);
	*value++ = 0;
	if (!strcmp(word, "ns"))
		web_enter(value);
	else if (!strcmp(word, "kind"))
		o->kind = value;
	else if (!strcmp(word, "to"))
		parse_endpoint(value, &o->to);
	else if (!strcmp(word, "connect"))
		o->by_connect = atoi(value);
	else if (!strcmp(word, "tls"))
		o->tls = value;
	else if (!strcmp(word, "host"))
		o->host = value;
	else if (!strcmp(word, "hosts"))
		o->hosts = (unsigned)atoi(value);
	else if (!strcmp(word, "path"))
		parse_paths(o, value);
	else if (!strcmp(word, "other"))
		parse_other(o, value);
	else if (!strcmp(word, "conns"))
		o->conns = (unsigned)atoi(value);
	else if (!strcmp(word, "seconds"))
		o->seconds = atof(value);
	else if (!strcmp(word, "source"))
		parse_endpoint(value, &o->source);
	else if (!strcmp(word, "sources"))
		o->sources = (unsigned)atoi(value);
	else if (!strcmp(word, "pids"))
		parse_pids(l, value);
	else
		errx(2, "what is %s?", word);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void print_result(struct load *l)
{
	uint64_t wall = now() - l->began, cpu = cpu_ns(l) - l->cpu;
	qsort(l->samples, l->n_samples, sizeof(*l->samples), compare);
	printf("{\"count\":%llu,\"bytes\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu,\"p50_ns\":%u}\n",
		(unsigned long long)l->count, (unsigned long long)l->bytes,
		(unsigned long long)wall, (unsigned long long)cpu,
		l->n_samples ? l->samples[l->n_samples / 2] : 0);
	fflush(stdout);
}

static bool is_over(const struct load *l)
{
	return l->began && (is_kind(l, "idle") || (l->count && now() >= l->end));
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS];
	for (unsigned i = 0; i < l->opt.conns && i < AT_ONCE; i++)
		conn_open(l);
	while (!is_over(l)) {
		int n = epoll_wait(l->epoll, events, EVENTS, PATIENCE_MS);
		if (n == 0)
			errx(1, "nothing happens any more, after %llu",
				(unsigned long long)l->count);
		for (int i = 0; i < n; i++)
			on_event(l, l->conns[events[i].data.fd]);
	}
}

int main(int argc, char **argv)
{
	static struct load l = { .opt = { .kind = "cps",
					 .tls = "real",
					 .paths = { "/" },
					 .n_paths = 1,
					 .conns = 1,
					 .sources = 1,
					 .seconds = 1 } };
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++)
		parse_option(&l, argv[i]);
	if (!l.opt.host || !l.opt.to.sin_port || !l.opt.source.sin_family ||
		strlen(l.opt.host) < HOST_DIGITS || strlen(l.opt.host) > 200)
		errx(2, "host, to and source are needed");
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.samples = calloc(SAMPLES_MAX, sizeof(*l.samples));
	if (l.epoll < 0 || !l.samples)
		err(1, NULL);
	if (!strcmp(l.opt.tls, "real"))
		l.tls = SSL_CTX_new(TLS_client_method());
	else
		make_hello(&l);
	run(&l);
	print_result(&l);
	if (is_kind(&l, "idle"))
		while (getchar() != EOF)
			;
	return 0;
}
