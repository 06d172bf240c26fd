/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/listen_udp.h"

/*
 * DNS over TCP (RFC 7766): two-byte length, many questions under way on one connection, answered in
 * any order. Bounded: connections in all and per address, questions under way, time for a whole
 * message, idle time.
 */
struct tcp_listener;

/* Is this source served at all? Others are closed at once. */
typedef bool (*listen_is_known)(void *arg, const struct addr *source);

struct tcp_listener_ops {
	listen_on_query on_query;
	listen_is_known is_known;
};
int tcp_listener_open(uv_loop_t *loop, const struct endpoint *at, bool system,
	const struct tcp_listener_ops *ops, void *arg, struct tcp_listener **out);
void tcp_listener_close(struct tcp_listener *l); /* frees itself in the loop */
/* For reply.c. */
uint8_t *tcp_client_begin(struct tcp_client *c, size_t *cap);
void tcp_client_end(struct tcp_client *c, struct reply_to *to, size_t len);
void tcp_client_hold(struct tcp_client *c, struct reply_to *to);
