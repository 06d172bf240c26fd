/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dns-steady ADDRESS PORT SOURCE RATE SECONDS PATIENCE NAMES
 *
 * Asks RATE times a second for the next of the names (a file, one a line; A records), whatever the
 * answers do, for so many seconds or until SIGTERM, then waits PATIENCE seconds for those that are
 * missing. Prints JSON: sent, lost, wrong (answers that are no block), p50_ms, p99_ms, max_ms, and
 * stall_ms: the longest time from a question to an answer to it or, when it was lost, to any later
 * one. Arrivals are the kernel's timestamps, so that this program's own delays are not in them.
 * IPv4 only.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_LEN = 12, QUESTION_MAX = 512, IDS = 65536 };

struct asked {
	double sent, arrived; /* seconds; arrived 0 while there is no answer */
};

struct run {
	int fd;
	const char *names, *at, *end;
	struct asked *asked;
	uint32_t *slots; /* id -> number of the question that has it */
	size_t sent, capacity, wrong;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now_s(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

/* The kernel stamps with the wall clock, which somebody may set meanwhile: what it is ahead of ours
 * now. */
static double wall_ahead_s(void)
{
	return clock_s(CLOCK_REALTIME) - now_s();
}

static size_t write_question(struct run *r, uint16_t id, uint8_t *out)
{
	static const uint8_t head[HEADER_LEN] = { 0, 0, 1, 0, 0, 1 };
	size_t len = HEADER_LEN, label = HEADER_LEN;

	memcpy(out, head, HEADER_LEN);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	len++;
	for (; r->at < r->end && *r->at != '\n' && len < QUESTION_MAX - 8; r->at++) {
		if (*r->at == '.') {
			out[label] = (uint8_t)(len - label - 1);
			label = len++;
		} else {
			out[len++] = (uint8_t)*r->at;
		}
	}
	out[label] = (uint8_t)(len - label - 1);
	if (++r->at >= r->end)
		r->at = r->names;
	static const uint8_t tail[] = { 0, 0, 1, 0, 1 };
	memcpy(out + len, tail, sizeof(tail));
	return len + sizeof(tail);
}

static void ask(struct run *r)
{
	uint8_t msg[QUESTION_MAX];
	uint16_t id = (uint16_t)r->sent;
	size_t len = write_question(r, id, msg);

	r->slots[id] = (uint32_t)r->sent;
	r->asked[r->sent].sent = now_s();
	r->sent++;
	/* One that the socket refuses is lost, as any other. */
	if (send(r->fd, msg, len, 0) < 0 && errno != ECONNREFUSED && errno != EAGAIN)
		err(1, "send");
}

/* NXDOMAIN, REFUSED, no address, or the address 0.0.0.0. */
static bool is_block(const uint8_t *msg, size_t len)
{
	if (len < HEADER_LEN)
		return false;
	unsigned rcode = msg[3] & 15u;
	if (rcode)
		return rcode == 3 || rcode == 5;
	if (!msg[6] && !msg[7])
		return true;
	size_t at = HEADER_LEN;
	while (at < len && msg[at])
		at += 1u + msg[at];
	at += 5 + 12; /* the question's end; the record's pointer, type, class, TTL, length */
	static const uint8_t none[4];
	return at + 4 <= len && !memcmp(msg + at, none, 4);
}

static void take(struct run *r)
{
	uint8_t msg[4096];
	char control[256];
	struct iovec iov = { msg, sizeof(msg) };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(r->fd, &h, MSG_DONTWAIT);

	if (n < HEADER_LEN)
		return;
	uint32_t number = r->slots[(uint16_t)(msg[0] << 8 | msg[1])];
	if (number >= r->sent || r->asked[number].arrived > 0)
		return;
	double arrived = now_s();
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec t;
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			arrived = (double)t.tv_sec + (double)t.tv_nsec / 1e9 - wall_ahead_s();
		}
	}
	r->asked[number].arrived = arrived;
	r->wrong += !is_block(msg, (size_t)n);
}

static void take_until(struct run *r, double until)
{
	double left;

	while ((left = until - now_s()) > 0) {
		struct timespec t = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
		struct pollfd p = { .fd = r->fd, .events = POLLIN };
		if (ppoll(&p, 1, &t, NULL) > 0)
			take(r);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_result(const struct run *r)
{
	double *times = calloc(r->sent + 1, sizeof(*times)), later = now_s(), stall = 0;
	size_t n = 0;

	if (!times)
		err(1, "calloc");
	for (size_t i = r->sent; i-- > 0;) {
		const struct asked *a = &r->asked[i];
		if (a->arrived > 0) {
			times[n++] = a->arrived - a->sent;
			later = a->arrived;
		}
		if (later - a->sent > stall)
			stall = later - a->sent;
	}
	qsort(times, n, sizeof(*times), compare);
	printf("{\"sent\": %zu, \"lost\": %zu, \"wrong\": %zu, \"p50_ms\": %.4f, \"p99_ms\": %.4f, "
	       "\"max_ms\": %.4f, \"stall_ms\": %.4f}\n",
		r->sent, r->sent - n, r->wrong, n ? times[n / 2] * 1e3 : 0,
		n ? times[n * 99 / 100] * 1e3 : 0, n ? times[n - 1] * 1e3 : 0, stall * 1e3);
	free(times);
}

static int open_socket(char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, from = { .sin_family = AF_INET };
	int yes = 1, size = 4 * 1024 * 1024;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
		inet_pton(AF_INET, argv[3], &from.sin_addr) != 1)
		errx(2, "addresses are IPv4");
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
		connect(fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "socket");
	return fd;
}

static void map_names(struct run *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !st.st_size)
		err(1, "%s", path);
	r->names = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (r->names == MAP_FAILED)
		err(1, "%s", path);
	r->at = r->names;
	r->end = r->names + st.st_size;
	close(fd);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct run r = { 0 };

	if (argc != 8)
		errx(2, "usage: dns-steady ADDRESS PORT SOURCE RATE SECONDS PATIENCE NAMES");
	double rate = strtod(argv[4], NULL), seconds = strtod(argv[5], NULL);
	r.fd = open_socket(argv);
	map_names(&r, argv[7]);
	r.capacity = (size_t)(rate * seconds);
	r.asked = calloc(r.capacity + 1, sizeof(*r.asked));
	r.slots = calloc(IDS, sizeof(*r.slots));
	if (!r.asked || !r.slots)
		err(1, "calloc");
	memset(r.slots, 0xff, IDS * sizeof(*r.slots));
	sigaction(SIGTERM, &action, NULL);
	double start = now_s();
	while (r.sent < r.capacity && !stopping) {
		ask(&r);
		take_until(&r, start + (double)r.sent / rate);
	}
	take_until(&r, now_s() + strtod(argv[6], NULL));
	print_result(&r);
	free(r.asked);
	free(r.slots);
	return 0;
}
