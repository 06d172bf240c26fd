/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "wgd/peers.h"

/* Per-device figures as events (W6): rx, tx, handshake and endpoint of devices that moved, online
 * and offline edges. */
struct stats {
	struct bus *bus;
};

/* One reading of one interface; sends for each device that changed since the last. */
void stats_take(struct stats *s, struct peers *peers, const struct wg_device *dev, int64_t now_ms);
