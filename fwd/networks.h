/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/netlink.h"
#include "common/timer.h"

/* The networks of the gateway's own interfaces, except tunnels and loopback, kept current (F2). */
struct networks {
	struct prefix *v; /* sorted, no duplicates */
	size_t n;
	const struct conf_shared *conf; /* its tunnels are left out */
	struct nl requests, events;
	struct timer settle;
	void (*on_change)(void *arg);
	void *arg;
};

/* Reads them once and watches from then on; on_change is called when they differ. */
int networks_open(struct networks *w, uv_loop_t *loop, const struct conf_shared *conf,
	void (*on_change)(void *arg), void *arg);
/* Closes the handles, also those of a failed or never tried open (zeroed); the memory may go when
 * the loop has ended (networks_fini). */
void networks_close(struct networks *w);
void networks_fini(struct networks *w);
