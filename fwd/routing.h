/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/netlink.h"
#include "common/timer.h"
#include "fwd/route_guard.h"

struct routing_ops {
	/* Something was as it should not be and is restored now; what names it. */
	void (*on_healed)(void *arg, const char *what);
	/* The guard cannot be; what names that which the kernel refuses. Said once, tried again. */
	void (*on_unguarded)(void *arg, const char *what);
};

/*
 * Forwarding, as the kernel has it: off until the first rules are in force and while they are not
 * whole, else on. And the guard, which lets nothing be routed that no rule has seen: from the first
 * rules on, and for good. Both are watched, and restored where another program changed them.
 */
struct routing {
	struct nl events;
	struct route_guard guard;
	struct timer settle;
	const struct conf_shared *conf; /* its tunnels */
	const char *sysctl_dir;
	bool forwarding; /* is to be on */
	bool guarding;	 /* is to be there */
	int guard_error; /* of the last try, 0: it is there */
	const struct routing_ops *ops;
	void *arg;
};

/* Watches. guards: whether routing_guard shall guard. */
int routing_open(struct routing *r, uv_loop_t *loop, const struct conf_shared *conf, bool guards,
	const char *sysctl_dir, const struct routing_ops *ops, void *arg);
/* Nothing is routed from a tunnel but what the rules see, from now on; also when fwd has ended. To
 * be called where there are no rules, or such as give it the mark. What fails is logged and tried
 * again. Without guards the rules of a former run go. */
void routing_guard(struct routing *r);
/* Is nothing routed from a tunnel but what the rules see? */
bool routing_is_guarded(const struct routing *r);
/* Allows forwarding and keeps it so. -errno as sysctl_allow_forwarding. */
int routing_allow_forwarding(struct routing *r);
/* Nothing of a device is forwarded, until it is allowed again. */
void routing_hold_forwarding(struct routing *r);
/* Closes the handles, also those of a failed or never tried open (zeroed). */
void routing_close(struct routing *r);
