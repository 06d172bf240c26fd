/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dns-echo ADDRESS PORT plain|batch echo|answer
 *
 * echo: sends every datagram back with the QR bit set: what the kernel's UDP path costs, the limit
 * of any DNS server. plain: recvfrom and sendto; batch: recvmmsg and sendmmsg of 64. answer: a
 * resolver that has an address for every name, to be the upstream of a forwarder under test. IPv4
 * only; ends by a signal.
 */
#include "tests/bench/tools/dns-question.h"
#include <arpa/inet.h>
#include <err.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM_MAX = 1500, RECORD_LEN = 16 };

static uint8_t data[BATCH][DATAGRAM_MAX + RECORD_LEN];

/* name = pointer to the question, A, IN, 300 s, 192.0.2.1; what is not A is NODATA. */
static size_t write_answer(uint8_t *msg, size_t len)
{
	static const uint8_t record[RECORD_LEN] = { 0xc0, DNS_HEADER_LEN, 0, 1, 0, 1, 0, 0, 1, 0x2c,
		0, 4, 192, 0, 2, 1 };
	size_t end = dns_question_end(msg, len);

	if (!end)
		return 0;
	bool is_a = !msg[end - 4] && msg[end - 3] == 1;
	msg[2] = 0x81;
	msg[3] = 0x80;
	memset(msg + 6, 0, 6);
	msg[7] = is_a;
	if (!is_a)
		return end;
	memcpy(msg + end, record, RECORD_LEN);
	return end + RECORD_LEN;
}

static size_t turn(uint8_t *msg, size_t len, bool answer)
{
	if (len < DNS_HEADER_LEN || msg[2] & 0x80)
		return 0;
	msg[2] |= 0x80;
	return answer ? write_answer(msg, len) : len;
}

static void serve_plain(int fd, bool answer)
{
	for (;;) {
		struct sockaddr_in peer;
		socklen_t peer_len = sizeof(peer);
		ssize_t n =
			recvfrom(fd, data[0], DATAGRAM_MAX, 0, (struct sockaddr *)&peer, &peer_len);
		size_t len = n > 0 ? turn(data[0], (size_t)n, answer) : 0;
		if (len)
			sendto(fd, data[0], len, 0, (struct sockaddr *)&peer, peer_len);
	}
}

static void send_all(int fd, struct mmsghdr *headers, unsigned n)
{
	for (unsigned sent = 0; sent < n;) {
		int rc = sendmmsg(fd, headers + sent, n - sent, 0);
		sent += rc > 0 ? (unsigned)rc : 1;
	}
}

static void serve_batch(int fd, bool answer)
{
	static struct mmsghdr in[BATCH], out[BATCH];
	static struct iovec iov[BATCH];
	static struct sockaddr_in peers[BATCH];

	for (;;) {
		for (unsigned i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ data[i], DATAGRAM_MAX };
			in[i].msg_hdr = (struct msghdr){ .msg_name = &peers[i],
				.msg_namelen = sizeof(peers[i]),
				.msg_iov = &iov[i],
				.msg_iovlen = 1 };
		}
		int n = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);
		unsigned ready = 0;
		for (int i = 0; i < n; i++) {
			iov[i].iov_len = turn(data[i], in[i].msg_len, answer);
			if (iov[i].iov_len)
				out[ready++].msg_hdr = in[i].msg_hdr;
		}
		send_all(fd, out, ready);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int size = 4 * 1024 * 1024;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1)
		errx(2, "usage: dns-echo ADDRESS PORT plain|batch echo|answer");
	at.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		err(1, "bind");
	if (!strcmp(argv[3], "plain"))
		serve_plain(fd, !strcmp(argv[4], "answer"));
	else
		serve_batch(fd, !strcmp(argv[4], "answer"));
}
