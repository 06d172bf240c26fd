/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/netlink.h"
#include "common/timer.h"
#include "proxyd/path_flows.h"

/*
 * Connections that passed, in the kernel's connection table: one that policy does not allow any
 * more is marked as denied, so that its next packet in either direction is refused (SPEC F9).
 */
struct path_live {
	struct nl nl;
	struct buf queue; /* changes that are not sent yet */
	struct timer flush;
	uint64_t killed;
};

int path_live_open(struct path_live *l, uv_loop_t *loop);
/* What is queued is sent. The memory is the loop's as long as that runs. */
void path_live_close(struct path_live *l);
/* Sent in the loop's next turn. */
void path_live_kill(struct path_live *l, const struct path_key *key);
bool path_live_is_sent(const struct path_live *l);
