/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/reply.h"
#include <sys/socket.h>
#include <uv.h>

#define LISTEN_BATCH 64
/*
 * One UDP socket bound to one address: batches of 64 in and out (recvmmsg, sendmmsg). As it is
 * bound to the address that was asked, answers come from it. The address need not exist yet.
 */
typedef void (*listen_on_query)(void *arg, const uint8_t *msg, size_t len, struct reply_to *to);

/* A batch that is about to be taken, query by query: whoever answers may ask for memory ahead. */
typedef void (*listen_on_batch)(void *arg, const struct mmsghdr *messages, unsigned n);

struct udp_listener_ops {
	listen_on_query on_query;
	listen_on_batch on_batch;
};
int udp_listener_open(uv_loop_t *loop, const struct endpoint *at, bool system,
	const struct udp_listener_ops *ops, void *arg, struct udp_listener **out);
void udp_listener_close(struct udp_listener *l); /* frees itself in the loop */
/* For reply.c. */
uint8_t *udp_listener_begin(struct udp_listener *l, size_t *cap);
void udp_listener_end(struct udp_listener *l, const struct addr *to, uint16_t port, size_t len);
