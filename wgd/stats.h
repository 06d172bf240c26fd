/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "wgd/peers.h"

/*
 * Per-device figures as events (W6): rx, tx, handshake and endpoint of devices that moved, and
 * edges: online, offline (180 s after the last handshake), flapping (one key in two places: within
 * two minutes the endpoint's address changed three times and came back to one it had; said once per
 * ten minutes), silent (entitled and without handshake for silent_ms; said once until it is online
 * again or not entitled any more, and once per run of the daemon).
 *
 * Ages are monotonic time since a handshake was seen, so that a jump of the wall clock makes nobody
 * online, offline or silent.
 */
struct stats {
	struct bus *bus;
	int64_t silent_ms; /* 0 = silence is not looked at */
};

struct stats_now {
	int64_t wall_ms, mono_ms; /* mono_ms > 0 */
};

/* Of one interface, at a reading. */
struct stats_counts {
	size_t online, silent, flapping;
};

/* A device's peer as read; sends what is to be said of it and adds it to counts. */
void stats_note(struct stats *s, struct peer *peer, const struct wg_peer *is,
	const struct stats_now *now, struct stats_counts *counts);
/* It is no peer any more: whoever was online is offline. */
void stats_leave(struct stats *s, struct peer *peer);
