/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/upstream.h"

/* UDP to one upstream: a pool of connected sockets on random ports, each given up after some use,
 * and a random id per question. */
struct udp_channel *udp_channel_new(struct upstream *u);
void udp_channel_close(struct udp_channel *c); /* frees itself in the loop */
int udp_channel_ask(struct udp_channel *c, struct exchange *x);
