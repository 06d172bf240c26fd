/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/list.h"
#include <stddef.h>
#include <stdint.h>

/* Where a query came from and how its answer gets back. */
struct udp_listener;
struct tcp_client;

struct reply_to {
	struct udp_listener *udp; /* one of the two; both NULL: nobody waits any more */
	struct tcp_client *tcp;
	struct addr source;
	uint16_t port;
	bool system;	  /* asked on the loopback listener of the gateway's own daemons */
	struct list node; /* of the TCP client, while its answer is pending */
};

/* Memory for an answer, with its size; NULL when there is none (the answer is dropped). */
uint8_t *reply_begin(struct reply_to *to, size_t *cap);
/* Sends what was written there; len 0 drops it. */
void reply_end(struct reply_to *to, size_t len);
/* The answer comes later: a TCP client's connection then knows of it. The reply_to stays in place
 * until reply_end. */
void reply_hold(struct reply_to *to);
/* Bytes an answer may have over TCP or UDP (udp_limit). */
size_t reply_limit(const struct reply_to *to, size_t udp_limit);
