/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * packet-flood SECONDS FLOW...: sends small packets at a steady rate and tells how many.
 *
 * FLOW is PROTOCOL,SOURCE,DESTINATION,PORT,RATE: udp (from eight source ports, numbered) or syn
 * (from ever other source ports), packets per second. It ends after SECONDS or at a SIGTERM and
 * prints the count of each flow, one a line. "ready" comes first.
 */
#include "common/addr.h"
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS_MAX = 64, SOCKETS = 8, TICK_NS = 1000000, BEHIND_MAX_NS = 20 * TICK_NS, PAYLOAD = 22 };

struct flow {
	bool syn;
	struct addr source, destination;
	uint16_t port;
	double rate, owed; /* packets a second; due and not yet sent */
	int fds[SOCKETS];  /* of a syn flow only the first */
	uint64_t sent, tried;
	uint16_t source_port;
};

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void flow_parse(struct flow *f, const char *text)
{
	char protocol[8], source[64], destination[64];
	if (sscanf(text, "%7[^,],%63[^,],%63[^,],%hu,%lf", protocol, source, destination, &f->port,
		    &f->rate) != 5 ||
		addr_parse(source, &f->source) || addr_parse(destination, &f->destination))
		errx(2, "not a flow: %s", text);
	f->syn = !strcmp(protocol, "syn");
	f->source_port = 1024;
}

static void flow_open(struct flow *f)
{
	struct sockaddr_storage from, to;
	socklen_t from_len = addr_to_sockaddr(&f->source, 0, &from);
	socklen_t to_len = addr_to_sockaddr(&f->destination, f->syn ? 0 : f->port, &to);
	for (int i = 0; i < (f->syn ? 1 : SOCKETS); i++) {
		int fd = socket(f->source.family, (f->syn ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK,
			f->syn ? IPPROTO_TCP : 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&from, from_len))
			err(1, "socket");
		/* A connected UDP socket would report the refusals instead of sending. */
		if (f->syn && connect(fd, (struct sockaddr *)&to, to_len))
			err(1, "connect");
		f->fds[i] = fd;
	}
}

static uint32_t sum(const void *data, size_t len, uint32_t total)
{
	const uint8_t *p = data;
	for (size_t i = 0; i + 1 < len; i += 2)
		total += (uint32_t)p[i] << 8 | p[i + 1];
	return total;
}

static int send_syn(struct flow *f)
{
	struct tcphdr h = { .source = htons(f->source_port),
		.dest = htons(f->port),
		.doff = 5,
		.syn = 1,
		.window = htons(64240),
		.seq = htonl((uint32_t)f->tried) };
	f->source_port = f->source_port == 65535 ? 1024 : (uint16_t)(f->source_port + 1);
	size_t len = addr_len(&f->source);
	uint32_t total = sum(f->source.bytes, len, IPPROTO_TCP + sizeof(h));
	total = sum(&h, sizeof(h), sum(f->destination.bytes, len, total));
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	h.check = htons((uint16_t)~total);
	return send(f->fds[0], &h, sizeof(h), 0) == (ssize_t)sizeof(h) ? 0 : -errno;
}

static int send_udp(struct flow *f)
{
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(&f->destination, f->port, &to);
	uint8_t payload[PAYLOAD] = { 0 };
	memcpy(payload, &f->tried, sizeof(f->tried));
	ssize_t n = sendto(f->fds[f->tried % SOCKETS], payload, sizeof(payload), 0,
		(struct sockaddr *)&to, len);
	return n == PAYLOAD ? 0 : -errno;
}

static void flow_send(struct flow *f)
{
	int status = f->syn ? send_syn(f) : send_udp(f);
	f->tried++;
	f->sent += status == 0;
}

/* What is due by then, and no more than a burst: what the machine kept us from is not made up for.
 */
static void send_due(struct flow *flows, size_t n, uint64_t *done_ns)
{
	uint64_t now = now_ns();
	if (now - *done_ns > BEHIND_MAX_NS)
		*done_ns = now - BEHIND_MAX_NS;
	double span = (double)(now - *done_ns) / 1e9;
	for (size_t i = 0; i < n; i++) {
		struct flow *f = &flows[i];
		for (f->owed += span * f->rate; f->owed >= 1; f->owed--)
			flow_send(f);
	}
	*done_ns = now;
}

int main(int argc, char **argv)
{
	struct flow flows[FLOWS_MAX] = { 0 };
	size_t n = (size_t)argc - 2;
	if (argc < 3 || n > FLOWS_MAX)
		errx(2, "usage: packet-flood SECONDS PROTOCOL,SOURCE,DESTINATION,PORT,RATE...");
	for (size_t i = 0; i < n; i++) {
		flow_parse(&flows[i], argv[i + 2]);
		flow_open(&flows[i]);
	}
	puts("ready");
	fflush(stdout);
	uint64_t begin = now_ns(), done = begin, end = begin + (uint64_t)(atof(argv[1]) * 1e9);
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	const struct timespec tick = { .tv_nsec = TICK_NS };
	while (now_ns() < end && ppoll(&input, 1, &tick, NULL) == 0)
		send_due(flows, n, &done);
	for (size_t i = 0; i < n; i++)
		printf("%llu\n", (unsigned long long)flows[i].sent);
	return 0;
}
