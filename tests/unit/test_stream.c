/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams over loopback: TCP, unix sockets, TLS; back-pressure, deadlines, ends (SPEC P17, C3). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "common/cert.h"
#include "common/stream.h"
#include "tests/unit/tap.h"

#define DAY 86400

struct end {
	struct stream *s; /* NULL once closed */
	char got[1024];
	size_t got_len;
	int opens, eofs, drains, closes, why;
	char error[256];
	struct tls_info info;
	bool echo, hang_up_on_eof;
};

struct bench {
	uv_loop_t loop;
	struct listener *listener;
	int nodelay; /* of the socket accepted last, as it was handed out */
	struct sockaddr_storage at;
	struct stream_limits limits;
	struct tls_ctx *server_tls, *client_tls;
	struct cert_ca *ca;
	struct end c, s;
	int accepted;
	uv_timer_t guard;
};

static void on_guard(uv_timer_t *t)
{
	(void)t;
	printf("Bail out! a test did not end\n");
	exit(1);
}

static void on_open(struct stream *s)
{
	struct end *e = stream_data(s);

	e->opens++;
	stream_tls_info(s, &e->info);
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct end *e = stream_data(s);

	if (e->got_len + len < sizeof(e->got))
		memcpy(e->got + e->got_len, data, len);
	e->got_len += len;
	if (e->echo)
		stream_write(s, data, len);
}

static void on_eof(struct stream *s)
{
	struct end *e = stream_data(s);

	e->eofs++;
	if (e->hang_up_on_eof)
		stream_close(s, 0);
}

static void on_drain(struct stream *s)
{
	struct end *e = stream_data(s);

	e->drains++;
}

static void on_close(struct stream *s, int why)
{
	struct end *e = stream_data(s);

	snprintf(e->error, sizeof(e->error), "%s", stream_error(s));
	stream_tls_info(s, &e->info);
	e->info.sni = e->info.alpn = NULL;
	e->closes++;
	e->why = why;
	e->s = NULL;
}

static const struct stream_ops ops = {
	.on_open = on_open,
	.on_read = on_read,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_close = on_close,
};

static void on_accept(struct listener *l, int fd, const struct sockaddr *peer, void *data)
{
	struct bench *b = data;
	socklen_t len = sizeof(b->nodelay);

	(void)l;
	(void)peer;
	b->accepted++;
	getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &b->nodelay, &len);
	if (b->s.s) {
		close(fd);
		return;
	}
	OK(stream_accept(&b->loop, fd, b->server_tls, &b->limits, &ops, &b->s, &b->s.s) == 0);
}

static struct tls_ctx *server_ctx(
	struct bench *b, const struct cert_ca *issuer, const struct cert_spec *spec)
{
	struct tls_config cfg = { .is_server = true };
	struct tls_ctx *ctx = NULL;
	char *pem = NULL, *key = NULL;

	(void)b;
	OK(cert_issue(issuer, spec, &pem, &key) == 0);
	OK(tls_cert_new(pem, key, &cfg.cert) == 0);
	OK(tls_ctx_new(&cfg, &ctx) == 0);
	tls_cert_free(cfg.cert);
	free(pem);
	free(key);
	return ctx;
}

static void open_bench(struct bench *b, const char *tls_host)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memset(b, 0, sizeof(*b));
	b->limits = stream_default_limits;
	uv_loop_init(&b->loop);
	uv_timer_init(&b->loop, &b->guard);
	uv_timer_start(&b->guard, on_guard, 60000, 0);
	uv_unref((uv_handle_t *)&b->guard);
	OK(listener_open(&b->loop, (struct sockaddr *)&at, NULL, on_accept, b, &b->listener) == 0);
	OK(listener_address(b->listener, &b->at) == 0);
	if (tls_host) {
		struct cert_spec spec = { .host = tls_host };
		struct tls_config cfg = { .session_cache = 4 };

		OK(cert_make_root("Test Root", time(NULL), &b->ca) == 0);
		b->server_tls = server_ctx(b, b->ca, &spec);
		cfg.ca_pem = cert_ca_pem(b->ca);
		OK(tls_ctx_new(&cfg, &b->client_tls) == 0);
	}
}

static void close_bench(struct bench *b)
{
	if (b->c.s)
		stream_close(b->c.s, 0);
	if (b->s.s)
		stream_close(b->s.s, 0);
	listener_close(b->listener);
	uv_close((uv_handle_t *)&b->guard, NULL);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	/* EBUSY would be a leaked handle. */
	INT_IS(uv_loop_close(&b->loop), 0);
	tls_ctx_free(b->server_tls);
	tls_ctx_free(b->client_tls);
	cert_ca_free(b->ca);
}

#define WAIT(b, cond)                                                                              \
	while (!(cond))                                                                            \
	uv_run(&(b)->loop, UV_RUN_ONCE)

static void turn(struct bench *b, int n)
{
	while (n--)
		uv_run(&b->loop, UV_RUN_NOWAIT);
}

static void dial(struct bench *b, const char *name)
{
	memset(&b->c, 0, sizeof(b->c));
	memset(&b->s, 0, sizeof(b->s));
	OK(stream_connect(&b->loop, (struct sockaddr *)&b->at, b->client_tls, name, &b->limits,
		   &ops, &b->c, &b->c.s) == 0);
}

static void join(struct bench *b, const char *name)
{
	dial(b, name);
	WAIT(b, (b->c.opens && b->s.opens) || b->c.closes || b->s.closes);
}

static void hang_up(struct bench *b)
{
	if (b->c.s)
		stream_close(b->c.s, 0);
	WAIT(b, b->c.closes);
	if (b->s.s)
		stream_close(b->s.s, 0);
	WAIT(b, b->s.closes);
}

static void say(struct end *e, const char *text)
{
	OK(stream_write(e->s, text, strlen(text)) == 0);
}

static void test_talks_plain_and_tls(void)
{
	for (int tls = 0; tls < 2; tls++) {
		struct bench b;

		open_bench(&b, tls ? "h.example" : NULL);
		join(&b, "h.example");
		b.s.echo = true;
		say(&b.c, "hello");
		WAIT(&b, b.c.got_len == 5);
		OK(memcmp(b.c.got, "hello", 5) == 0);
		OK(stream_shutdown(b.c.s) == 0);
		INT_IS(stream_write(b.c.s, "x", 1), -EPIPE);
		WAIT(&b, b.s.eofs);
		/* Half-closed: the other way still works. */
		say(&b.s, " bye");
		OK(stream_shutdown(b.s.s) == 0);
		WAIT(&b, b.c.eofs);
		INT_IS(b.c.got_len, 9);
		INT_IS(b.c.closes, 0);
		hang_up(&b);
		INT_IS(b.c.why, 0);
		close_bench(&b);
	}
}

static void expect_refused(
	const struct cert_spec *spec, const char *name, bool other_ca, enum tls_verify why)
{
	struct bench b;
	struct cert_ca *other = NULL;

	open_bench(&b, "unused.example");
	tls_ctx_free(b.server_tls);
	OK(cert_make_root("Another Root", time(NULL), &other) == 0);
	b.server_tls = server_ctx(&b, other_ca ? other : b.ca, spec);
	cert_ca_free(other);
	dial(&b, name);
	WAIT(&b, b.c.closes && b.s.closes);
	INT_IS(b.c.opens, 0);
	INT_IS(b.c.why, -EBADMSG);
	INT_IS(b.c.info.verify, why);
	OK(b.s.why == -ECONNABORTED || b.s.why == -EPROTO);
	OK(strstr(b.c.error, tls_verify_text(why)) != NULL);
	close_bench(&b);
}

static void test_refused_certificates_are_named(void)
{
	time_t now = time(NULL);
	struct cert_spec good = { .host = "h.example" };
	struct cert_spec old = {
		.host = "h.example", .not_before = now - 40 * DAY, .not_after = now - DAY
	};

	expect_refused(&good, "other.example", false, TLS_VERIFY_WRONG_NAME);
	expect_refused(&old, "h.example", false, TLS_VERIFY_EXPIRED);
	expect_refused(&good, "h.example", true, TLS_VERIFY_INCOMPLETE);
}

static void test_resumes_the_second_connection(void)
{
	struct bench b;

	open_bench(&b, "h.example");
	join(&b, "h.example");
	OK(!b.c.info.resumed);
	/* With TLS 1.3 the ticket comes after the handshake. */
	say(&b.s, "x");
	WAIT(&b, b.c.got_len);
	hang_up(&b);
	join(&b, "h.example");
	OK(b.c.info.resumed && b.s.info.resumed);
	close_bench(&b);
}

static void test_end_without_close_notify_is_an_error(void)
{
	struct bench b;

	open_bench(&b, "h.example");
	join(&b, "h.example");
	say(&b.s, "half");
	stream_close(b.s.s, 0); /* no close_notify */
	WAIT(&b, b.c.closes);
	INT_IS(b.c.got_len, 4);
	INT_IS(b.c.eofs, 0);
	INT_IS(b.c.why, -ECONNRESET);
	close_bench(&b);
}

static void test_corked_writes_go_out_as_one(void)
{
	static char block[40000];

	for (int tls = 0; tls < 2; tls++) {
		struct bench b;

		open_bench(&b, tls ? "h.example" : NULL);
		join(&b, "h.example");
		stream_cork(b.c.s);
		say(&b.c, "head ");
		say(&b.c, "and body");
		turn(&b, 20);
		INT_IS(b.s.got_len, 0);
		stream_uncork(b.c.s);
		WAIT(&b, b.s.got_len == 13);
		OK(!memcmp(b.s.got, "head and body", 13));
		/* What is too much goes out by itself, in order. */
		stream_cork(b.c.s);
		say(&b.c, "first");
		OK(stream_write(b.c.s, block, sizeof(block)) == 0);
		WAIT(&b, b.s.got_len == 13 + 5 + sizeof(block));
		/* An end is an end. */
		say(&b.c, "last");
		OK(stream_shutdown(b.c.s) == 0);
		WAIT(&b, b.s.got_len == 13 + 5 + sizeof(block) + 4);
		close_bench(&b);
	}
}

/* A reader that stops bounds what the writer may have pending. */
static void test_back_pressure_is_bounded(void)
{
	static char block[65536];

	for (int tls = 0; tls < 2; tls++) {
		struct bench b;
		size_t sent = 0;

		open_bench(&b, tls ? "h.example" : NULL);
		join(&b, "h.example");
		stream_pause(b.s.s);
		while (!stream_is_full(b.c.s)) {
			OK(stream_write(b.c.s, block, sizeof(block)) == 0);
			sent += sizeof(block);
			turn(&b, 1);
		}
		turn(&b, 20);
		OK(stream_is_full(b.c.s));
		OK(stream_pending(b.c.s) <= b.limits.high_mark + 2 * sizeof(block));
		OK(b.s.got_len < 512 * 1024);
		stream_resume(b.s.s);
		WAIT(&b, b.s.got_len == sent);
		INT_IS(b.c.drains, 1);
		INT_IS(stream_pending(b.c.s), 0);
		close_bench(&b);
	}
}

static void test_writer_that_does_not_look_is_cut_off(void)
{
	static char block[1 << 20];
	struct bench b;
	int err = 0;

	open_bench(&b, NULL);
	b.limits.max_pending = 2 << 20;
	join(&b, NULL);
	stream_pause(b.s.s);
	for (int i = 0; i < 100 && !err; i++)
		err = stream_write(b.c.s, block, sizeof(block));
	INT_IS(err, -ENOBUFS);
	WAIT(&b, b.c.closes);
	INT_IS(b.c.why, -ENOBUFS);
	close_bench(&b);
}

static void test_peer_that_takes_nothing_runs_into_the_write_deadline(void)
{
	static char block[65536];
	struct bench b;

	open_bench(&b, NULL);
	b.limits.write_ms = 80;
	join(&b, NULL);
	stream_pause(b.s.s);
	while (!stream_is_full(b.c.s))
		OK(stream_write(b.c.s, block, sizeof(block)) == 0);
	WAIT(&b, b.c.closes);
	INT_IS(b.c.why, -ETIMEDOUT);
	STR_IS(b.c.error, "write: connection timed out");
	close_bench(&b);
}

static void test_idle_deadline(void)
{
	struct bench b;

	open_bench(&b, NULL);
	b.limits.idle_ms = 60;
	join(&b, NULL);
	WAIT(&b, b.c.closes && b.s.closes);
	OK(b.c.why == -ETIMEDOUT || b.s.why == -ETIMEDOUT);
	close_bench(&b);
}

static void test_handshake_deadline(void)
{
	struct bench b;

	open_bench(&b, "h.example");
	b.limits.handshake_ms = 60;
	tls_ctx_free(b.client_tls);
	b.client_tls = NULL; /* says nothing */
	dial(&b, NULL);
	WAIT(&b, b.s.closes);
	INT_IS(b.s.why, -ETIMEDOUT);
	STR_IS(b.s.error, "handshake: connection timed out");
	INT_IS(b.s.opens, 0);
	close_bench(&b);
}

static void test_refused_connection_is_reported_once(void)
{
	struct bench b;

	open_bench(&b, NULL);
	((struct sockaddr_in *)&b.at)->sin_port = htons(1);
	dial(&b, NULL);
	INT_IS(b.c.closes, 0);
	WAIT(&b, b.c.closes);
	INT_IS(b.c.why, -ECONNREFUSED);
	STR_IS(b.c.error, "connect: connection refused");
	close_bench(&b);
}

static void test_close_while_connecting_and_twice(void)
{
	struct bench b;

	open_bench(&b, "h.example");
	dial(&b, "h.example");
	stream_close(b.c.s, -ECANCELED);
	stream_close(b.c.s, -EIO);
	stream_finish(b.c.s, 0);
	WAIT(&b, b.c.closes);
	turn(&b, 5);
	INT_IS(b.c.closes, 1);
	INT_IS(b.c.why, -ECANCELED);
	close_bench(&b);
}

static void test_finish_sends_everything_first(void)
{
	static char block[3 << 20];

	for (int tls = 0; tls < 2; tls++) {
		struct bench b;

		open_bench(&b, tls ? "h.example" : NULL);
		join(&b, "h.example");
		b.c.hang_up_on_eof = true;
		say(&b.c, "unread");
		OK(stream_write(b.s.s, block, sizeof(block)) == 0);
		stream_finish(b.s.s, 0);
		WAIT(&b, b.c.closes && b.s.closes);
		INT_IS(b.c.got_len, sizeof(block));
		INT_IS(b.c.eofs, 1);
		INT_IS(b.s.why, 0);
		close_bench(&b);
	}
}

static void test_bytes_given_back_come_first(void)
{
	struct bench b;

	open_bench(&b, NULL);
	join(&b, NULL);
	stream_pause(b.s.s);
	OK(stream_unread(b.s.s, "world", 5) == 0);
	OK(stream_unread(b.s.s, "hello ", 6) == 0);
	say(&b.c, "!");
	turn(&b, 5);
	INT_IS(b.s.got_len, 0);
	stream_resume(b.s.s);
	WAIT(&b, b.s.got_len == 12);
	OK(memcmp(b.s.got, "hello world!", 12) == 0);
	close_bench(&b);
}

/* The client's hello arrives in single bytes, the first of them given back as if peeked at. */
static void test_upgrade_to_tls_fed_byte_by_byte(void)
{
	struct bench b;
	struct tls_ctx *server;
	struct tls *t = NULL;
	size_t len;
	char *out;

	open_bench(&b, "h.example");
	server = b.server_tls;
	b.server_tls = NULL;
	struct tls_ctx *client = b.client_tls;

	b.client_tls = NULL;
	join(&b, NULL);
	OK(tls_new(client, "h.example", NULL, &t) == 0);
	INT_IS(tls_handshake(t), -EAGAIN);
	out = tls_take_output(t, &len);
	OK(stream_unread(b.s.s, out, 3) == 0);
	OK(stream_start_tls_server(b.s.s, server, NULL) == 0);
	for (size_t i = 3; i < len; i++) {
		OK(stream_write(b.c.s, out + i, 1) == 0);
		turn(&b, 1);
	}
	free(out);
	for (int err = -EAGAIN; err == -EAGAIN;) {
		WAIT(&b, b.c.got_len || b.c.closes);
		OK(b.c.closes == 0 && b.c.got_len < sizeof(b.c.got));
		OK(tls_feed(t, memcpy(malloc(b.c.got_len), b.c.got, b.c.got_len), b.c.got_len) ==
			0);
		b.c.got_len = 0;
		err = tls_handshake(t);
		OK(err == 0 || err == -EAGAIN);
		out = tls_take_output(t, &len);
		if (len)
			stream_write_owned(b.c.s, out, len);
		if (err && err != -EAGAIN)
			break;
	}
	WAIT(&b, b.s.opens == 2 || b.s.closes);
	INT_IS(b.s.opens, 2);
	tls_free(t);
	b.server_tls = server;
	b.client_tls = client;
	close_bench(&b);
}

static void test_detached_descriptor_lives_on(void)
{
	struct bench b;
	int fd = -1;

	open_bench(&b, NULL);
	join(&b, NULL);
	OK(stream_detach_fd(b.s.s, &fd) == 0);
	WAIT(&b, b.s.closes);
	INT_IS(write(fd, "spliced", 7), 7);
	WAIT(&b, b.c.got_len == 7);
	close(fd);
	close_bench(&b);
}

static void test_unix_socket_and_leftover_of_it(void)
{
	struct bench b;
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	open_bench(&b, NULL);
	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/test-stream-%d.sock", (int)getpid());
	for (int i = 0; i < 2; i++) {
		struct listener *l;

		OK(listener_open(&b.loop, (struct sockaddr *)&at, NULL, on_accept, &b, &l) == 0);
		memcpy(&b.at, &at, sizeof(at));
		join(&b, NULL);
		say(&b.c, "hi");
		WAIT(&b, b.s.got_len == 2);
		hang_up(&b);
		listener_close(l);
		OK(access(at.sun_path, F_OK) != 0);
	}
	close_bench(&b);
}

/* Out of descriptors the listener pauses, and goes on when there are some again. */
static void test_accept_survives_emfile(void)
{
	struct bench b;
	struct rlimit old, low;
	int held[64], n = 0;

	open_bench(&b, NULL);
	dial(&b, NULL);
	OK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	low = (struct rlimit){ .rlim_cur = 64, .rlim_max = old.rlim_max };
	OK(setrlimit(RLIMIT_NOFILE, &low) == 0);
	while (n < 64 && (held[n] = dup(0)) >= 0)
		n++;
	WAIT(&b, b.c.opens);
	turn(&b, 5);
	INT_IS(b.accepted, 0);
	while (n)
		close(held[--n]);
	OK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	WAIT(&b, b.s.opens);
	INT_IS(b.accepted, 1);
	close_bench(&b);
}

static void test_accepted_sockets_hold_nothing_back(void)
{
	struct bench b;

	open_bench(&b, NULL);
	join(&b, NULL);
	WAIT(&b, b.accepted);
	OK(b.nodelay);
	close_bench(&b);
}

static void test_port_can_be_shared_and_address_can_be_absent(void)
{
	struct bench b;
	struct listener_options opt = { .reuse_port = true, .freebind = true };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
	struct listener *one = NULL, *two = NULL;
	struct sockaddr_storage got;

	open_bench(&b, NULL);
	INT_IS(listener_open(&b.loop, (struct sockaddr *)&at, NULL, on_accept, &b, &one),
		-EADDRNOTAVAIL);
	OK(listener_open(&b.loop, (struct sockaddr *)&at, &opt, on_accept, &b, &one) == 0);
	OK(listener_address(one, &got) == 0);
	OK(listener_open(&b.loop, (struct sockaddr *)&got, &opt, on_accept, &b, &two) == 0);
	listener_close(one);
	listener_close(two);
	close_bench(&b);
}

int main(void)
{
	TAP_RUN(test_talks_plain_and_tls);
	TAP_RUN(test_refused_certificates_are_named);
	TAP_RUN(test_resumes_the_second_connection);
	TAP_RUN(test_end_without_close_notify_is_an_error);
	TAP_RUN(test_corked_writes_go_out_as_one);
	TAP_RUN(test_back_pressure_is_bounded);
	TAP_RUN(test_writer_that_does_not_look_is_cut_off);
	TAP_RUN(test_peer_that_takes_nothing_runs_into_the_write_deadline);
	TAP_RUN(test_idle_deadline);
	TAP_RUN(test_handshake_deadline);
	TAP_RUN(test_refused_connection_is_reported_once);
	TAP_RUN(test_close_while_connecting_and_twice);
	TAP_RUN(test_finish_sends_everything_first);
	TAP_RUN(test_bytes_given_back_come_first);
	TAP_RUN(test_upgrade_to_tls_fed_byte_by_byte);
	TAP_RUN(test_detached_descriptor_lives_on);
	TAP_RUN(test_unix_socket_and_leftover_of_it);
	TAP_RUN(test_accept_survives_emfile);
	TAP_RUN(test_accepted_sockets_hold_nothing_back);
	TAP_RUN(test_port_can_be_shared_and_address_can_be_absent);
	return tap_done();
}
