/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/netlink.h"
#include "proxyd/path_flows.h"

/*
 * Connections that passed, in the kernel's connection table: one that policy does not allow any
 * more is marked as denied, so that its next packet in either direction is refused (SPEC F9).
 */
struct path_live {
	struct nl nl;
	struct buf queue; /* changes that are not sent yet */
	uint64_t killed;
};

int path_live_open(struct path_live *l);
void path_live_close(struct path_live *l);
/* Sent with path_live_flush at the latest. */
void path_live_kill(struct path_live *l, const struct path_key *key);
void path_live_flush(struct path_live *l);
