/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * packet-rates pps|cps SECONDS CLIENT SINK SOURCE DESTINATION PORT: what a path carries at most.
 *
 * CLIENT and SINK are processes in whose network namespaces the path begins and ends. One thread
 * does it all, so that the kernel works off every packet, through all namespaces, within the call
 * that sends it, and the thread's CPU time is that of the whole path. Prints "COUNT WALL_NS
 * CPU_NS".
 *
 *   pps: UDP packets of 64 bytes (IP header included) in one flow; counted where they are read
 *   cps: TCP connections made and reset; counted where they are accepted
 */
#include "common/addr.h"
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PACKET = 64,
	UDP_HEADER = 8,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	BATCH = 32,
	PATIENCE_MS = 1000
};

struct path {
	int client, sink; /* namespaces */
	struct addr source, destination;
	uint16_t port;
	int listener;
};

struct stamp {
	uint64_t wall, cpu; /* ns */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct stamp stamp_now(void)
{
	return (struct stamp){ clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_THREAD_CPUTIME_ID) };
}

static int namespace_open(const char *pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		err(1, "setns");
}

static int socket_bound(const struct addr *a, uint16_t port, int type)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, port, &ss);
	int one = 1, fd = socket(a->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!port)
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len))
		err(1, "bind");
	return fd;
}

static int connect_to(const struct path *p, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&p->destination, p->port, &ss);
	return connect(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

static void batch_init(struct mmsghdr *batch, struct iovec *iov)
{
	memset(batch, 0, BATCH * sizeof(*batch));
	for (int i = 0; i < BATCH; i++)
		batch[i].msg_hdr = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
}

/* There and back, so that connection tracking knows the flow as one that is answered. */
static void greet(const struct path *p, int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct pollfd arrived = { .fd = p->listener, .events = POLLIN };
	struct pollfd answered = { .fd = fd, .events = POLLIN };
	char text[8];
	if (send(fd, "hello", 5, 0) != 5 || poll(&arrived, 1, PATIENCE_MS) != 1 ||
		recvfrom(p->listener, text, sizeof(text), 0, (struct sockaddr *)&from, &len) != 5 ||
		sendto(p->listener, text, 5, 0, (struct sockaddr *)&from, len) != 5 ||
		poll(&answered, 1, PATIENCE_MS) != 1 || recv(fd, text, sizeof(text), 0) != 5)
		errx(1, "no packet comes through, or no answer");
}

/* One call a packet, as programs send, and as many read at a time as there are. */
static uint64_t send_packets(struct path *p, uint64_t end)
{
	uint8_t payload[PACKET] = { 0 };
	size_t headers = UDP_HEADER + (p->source.family == AF_INET ? IPV4_HEADER : IPV6_HEADER);
	struct iovec iov = { payload, sizeof(payload) };
	struct mmsghdr batch[BATCH];
	uint64_t count = 0;
	enter(p->client);
	int fd = socket_bound(&p->source, 0, SOCK_DGRAM);
	if (connect_to(p, fd))
		err(1, "connect");
	greet(p, fd);
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < BATCH; i++) {
			if (send(fd, payload, PACKET - headers, 0) < 0)
				err(1, "send");
		}
		batch_init(batch, &iov);
		int n = recvmmsg(p->listener, batch, BATCH, MSG_DONTWAIT, NULL);
		count += n > 0 ? (uint64_t)n : 0;
	}
	close(fd);
	return count;
}

static void close_reset(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/* Most come within connect() itself. */
static int accept_all(const struct path *p, int wanted)
{
	int n = 0;
	while (n < wanted) {
		int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			n++;
			continue;
		}
		struct pollfd ready = { .fd = p->listener, .events = POLLIN };
		if (errno != EAGAIN || poll(&ready, 1, PATIENCE_MS) < 1)
			break;
	}
	return n;
}

static uint64_t make_connections(struct path *p, uint64_t end)
{
	uint64_t count = 0;
	int fds[BATCH];
	enter(p->client);
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < BATCH; i++) {
			fds[i] = socket_bound(&p->source, 0, SOCK_STREAM);
			int status = connect_to(p, fds[i]);
			if (status && status != -EINPROGRESS)
				errx(1, "connect: %s", strerror(-status));
		}
		int n = accept_all(p, BATCH);
		for (int i = 0; i < BATCH; i++)
			close_reset(fds[i]);
		count += (uint64_t)n;
		if (n < BATCH)
			errx(1, "%d of %d connections came through", n, BATCH);
	}
	return count;
}

int main(int argc, char **argv)
{
	if (argc != 8)
		errx(2, "usage: packet-rates pps|cps SECONDS CLIENT SINK SOURCE DESTINATION PORT");
	struct path p = { .client = namespace_open(argv[3]),
		.sink = namespace_open(argv[4]),
		.port = (uint16_t)atoi(argv[7]) };
	if (addr_parse(argv[5], &p.source) || addr_parse(argv[6], &p.destination))
		errx(2, "not an address");
	bool cps = !strcmp(argv[1], "cps");
	enter(p.sink);
	p.listener = socket_bound(&p.destination, p.port, cps ? SOCK_STREAM : SOCK_DGRAM);
	if (cps && listen(p.listener, 4096))
		err(1, "listen");
	struct stamp begin = stamp_now();
	uint64_t end = begin.wall + (uint64_t)(atof(argv[2]) * 1e9);
	uint64_t count = cps ? make_connections(&p, end) : send_packets(&p, end);
	struct stamp done = stamp_now();
	printf("%llu %llu %llu\n", (unsigned long long)count,
		(unsigned long long)(done.wall - begin.wall),
		(unsigned long long)(done.cpu - begin.cpu));
	return 0;
}
