/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P3: two sockets joined: bytes, halves, limits, and no descriptor left for a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxyd/splice.h"
#include "tests/unit/tap.h"

struct world {
	uv_loop_t loop;
	struct splicer splicer;
	struct splice splice;
	int client, server; /* the far ends */
	int ended;	    /* 1: with `why` */
	int why;
};

static void on_end(struct splice *s, int why)
{
	struct world *w = container_of(s, struct world, splice);

	w->ended = 1;
	w->why = why;
	splice_close(s, why != 0);
}

static void make_pair(int ends[static 2])
{
	OK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
}

static void up(struct world *w, enum splice_wait wait)
{
	int client[2], server[2];

	memset(w, 0, sizeof(*w));
	uv_loop_init(&w->loop);
	INT_IS(splicer_open(&w->splicer, &w->loop, 60000), 0);
	make_pair(client);
	make_pair(server);
	w->client = client[0];
	w->server = server[0];
	w->splice.on_end = on_end;
	splice_init(&w->splicer, &w->splice, wait);
	OK(!splice_watch(&w->splice, SPLICE_CLIENT, client[1]));
	OK(!splice_watch(&w->splice, SPLICE_SERVER, server[1]));
}

static void down(struct world *w)
{
	if (!w->ended)
		splice_close(&w->splice, false);
	close(w->client);
	close(w->server);
	splicer_close(&w->splicer);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->loop), 0);
}

/* Until that many bytes came, which are given; or the end did. */
static size_t take(struct world *w, int fd, char *out, size_t want)
{
	size_t have = 0;

	for (int i = 0; have < want && i < 10000; i++) {
		uv_run(&w->loop, UV_RUN_NOWAIT);
		ssize_t n = recv(fd, out + have, want - have, 0);
		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
	}
	return have;
}

static void test_bytes_go_both_ways(void)
{
	struct world w;
	char got[16] = "";

	up(&w, SPLICE_IDLE);
	splice_start(&w.splice);
	OK(send(w.client, "question", 8, 0) == 8);
	INT_IS(take(&w, w.server, got, 8), 8);
	STR_IS(got, "question");
	OK(send(w.server, "answer!!", 8, 0) == 8);
	INT_IS(take(&w, w.client, got, 8), 8);
	STR_IS(got, "answer!!");
	OK(!w.splice.ways[0].pipe && !w.splice.ways[1].pipe);
	INT_IS(w.splicer.bytes, 16);
	down(&w);
}

static void test_what_was_put_goes_first(void)
{
	struct world w;
	char got[16] = "";

	up(&w, SPLICE_IDLE);
	OK(send(w.client, "rest", 4, 0) == 4);
	OK(!splice_put(&w.splice, SPLICE_CLIENT, "hel", 3));
	OK(!splice_put(&w.splice, SPLICE_CLIENT, "lo ", 3));
	splice_start(&w.splice);
	INT_IS(take(&w, w.server, got, 10), 10);
	STR_IS(got, "hello rest");
	down(&w);
}

static void test_each_half_ends_by_itself(void)
{
	struct world w;
	char got[16] = "";

	up(&w, SPLICE_IDLE);
	splice_start(&w.splice);
	OK(send(w.client, "last", 4, 0) == 4);
	shutdown(w.client, SHUT_WR);
	INT_IS(take(&w, w.server, got, 16), 4);
	OK(!w.ended);
	OK(send(w.server, "more", 4, 0) == 4);
	INT_IS(take(&w, w.client, got, 4), 4);
	STR_IS(got, "more");
	shutdown(w.server, SHUT_WR);
	INT_IS(take(&w, w.client, got, 1), 0);
	OK(w.ended);
	INT_IS(w.why, 0);
	down(&w);
}

#define MUCH (8u << 20)

/* Writes as much as goes in while the other end reads: all of it, unchanged. */
static bool pour(struct world *w)
{
	char *in = malloc(MUCH), *out = calloc(1, MUCH);
	size_t sent = 0, have = 0;
	bool same;

	for (size_t i = 0; i < MUCH; i++)
		in[i] = (char)(i * 2654435761u >> 13);
	for (int i = 0; have < MUCH && i < 1000000; i++) {
		ssize_t n = send(w->server, in + sent, MUCH - sent, 0);
		if (n > 0)
			sent += (size_t)n;
		uv_run(&w->loop, UV_RUN_NOWAIT);
		n = recv(w->client, out + have, MUCH - have, 0);
		if (n > 0)
			have += (size_t)n;
	}
	same = have == MUCH && !memcmp(in, out, MUCH);
	free(in);
	free(out);
	return same;
}

static void test_much_passes_unchanged(void)
{
	struct world w;

	up(&w, SPLICE_IDLE);
	splice_start(&w.splice);
	OK(pour(&w));
	down(&w);
}

static void test_without_descriptors_for_a_pipe_it_is_copied(void)
{
	struct rlimit before, none;
	struct world w;

	up(&w, SPLICE_IDLE);
	splice_start(&w.splice);
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 3;
	OK(!setrlimit(RLIMIT_NOFILE, &none));
	OK(!pipes_take(w.splicer.pipes));
	OK(pour(&w));
	setrlimit(RLIMIT_NOFILE, &before);
	down(&w);
}

static void run_to_end(struct world *w)
{
	for (int i = 0; i < 100 && !w->ended; i++)
		uv_run(&w->loop, UV_RUN_ONCE);
}

static void test_a_hello_that_does_not_come_has_an_end(void)
{
	struct world w;

	up(&w, SPLICE_WAIT_HELLO);
	w.splicer.limits_ms[SPLICE_WAIT_HELLO] = 1;
	run_to_end(&w);
	OK(w.ended);
	INT_IS(w.why, -ETIMEDOUT);
	down(&w);
}

static void test_who_takes_nothing_has_an_end(void)
{
	struct world w;
	char block[65536] = { 0 };

	up(&w, SPLICE_IDLE);
	w.splicer.limits_ms[SPLICE_STALLED] = 1;
	splice_start(&w.splice);
	for (int i = 0; i < 1000 && w.splice.wait != SPLICE_STALLED; i++) {
		send(w.server, block, sizeof(block), MSG_NOSIGNAL);
		uv_run(&w.loop, UV_RUN_NOWAIT);
	}
	INT_IS(w.splice.wait, SPLICE_STALLED);
	run_to_end(&w);
	OK(w.ended);
	INT_IS(w.why, -ETIMEDOUT);
	down(&w);
}

int main(void)
{
	TAP_RUN(test_bytes_go_both_ways);
	TAP_RUN(test_what_was_put_goes_first);
	TAP_RUN(test_each_half_ends_by_itself);
	TAP_RUN(test_much_passes_unchanged);
	TAP_RUN(test_without_descriptors_for_a_pipe_it_is_copied);
	TAP_RUN(test_a_hello_that_does_not_come_has_an_end);
	TAP_RUN(test_who_takes_nothing_has_an_end);
	return tap_done();
}
