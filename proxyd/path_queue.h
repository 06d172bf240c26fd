/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/netlink.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The kernel's packet queue (nfnetlink_queue), read in batches. Each packet is answered once, now
 * or later; a process that ends leaves its packets to the kernel, which drops them.
 */
struct path_queue;

struct path_queued {
	uint32_t id;
	uint32_t mark;
	const uint8_t *data; /* until on_packet returns */
	size_t len;
	bool is_verified; /* its checksum is known to hold, or is not written yet */
};

struct path_queue_ops {
	void (*on_packet)(void *arg, const struct path_queued *q);
};

/* NULL with *err: -EPERM without CAP_NET_ADMIN, -EBUSY when another process has it. */
struct path_queue *path_queue_open(uv_loop_t *loop, uint16_t number, uint32_t max_packets,
	const struct path_queue_ops *ops, void *arg, int *err);
/* Frees itself in the last close callback. */
void path_queue_close(struct path_queue *q);

enum path_verdict { PATH_DROP, PATH_ACCEPT, PATH_REPEAT };
/* What the kernel does with the packet, which goes on with that mark. Sent with path_queue_flush at
 * the latest. */
void path_queue_answer(struct path_queue *q, uint32_t id, enum path_verdict verdict, uint32_t mark);
void path_queue_flush(struct path_queue *q);
/* Answers that the kernel did not take, packets that it dropped for want of room in the socket. */
uint64_t path_queue_lost(const struct path_queue *q);
