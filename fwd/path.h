/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/netlink.h"
#include "common/timer.h"
#include "fwd/path_probe.h"

/*
 * Is there a reader of hellos (proxyd --path)? While there is, HTTPS of devices is judged in the
 * path. Without one such flows are refused at once; when it stays away their next connections go to
 * proxyd's TLS port like everybody's.
 */
enum { PATH_LOOK_MS = 500, PATH_GRACE_MS = 3000 };

struct path {
	struct nl nl;
	struct timer timer;
	uint16_t queue;
	bool is_on;
	uint64_t seen_ms; /* monotonic: when there was a reader last; 0 never */
	void (*on_change)(void *arg);
	void *arg;
};

/* kind: what path_probe_queue found; NONE: never on. */
int path_open(struct path *p, uv_loop_t *loop, enum path_queue_kind kind, uint16_t queue,
	void (*on_change)(void *arg), void *arg);
/* Idempotent, also on a zeroed one. */
void path_close(struct path *p);
