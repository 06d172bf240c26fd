/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/netlink.h"
#include "common/timer.h"

/*
 * Forwarding, as the kernel has it: off until the first rules are in force and while they are not
 * whole, else on; watched, and restored where another program changed it.
 */
struct routing {
	struct nl events;
	struct timer settle;
	const struct conf_shared *conf; /* its tunnels */
	const char *sysctl_dir;
	bool forwarding; /* is to be on */
	/* Something was as it should not be and is restored now; what names it. */
	void (*on_healed)(void *arg, const char *what);
	void *arg;
};

/* Watches. */
int routing_open(struct routing *r, uv_loop_t *loop, const struct conf_shared *conf,
	const char *sysctl_dir, void (*on_healed)(void *arg, const char *what), void *arg);
/* Allows forwarding and keeps it so. -errno as sysctl_allow_forwarding. */
int routing_allow_forwarding(struct routing *r);
/* Nothing of a device is forwarded, until it is allowed again. */
void routing_hold_forwarding(struct routing *r);
/* Closes the handles, also those of a failed or never tried open (zeroed). */
void routing_close(struct routing *r);
