/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/netlink.h"
#include "common/timer.h"

/*
 * What the kernel's routing has to be beside the table, watched and restored.
 *
 * The barrier: a policy routing rule per tunnel interface and family,
 *
 *   ROUTING_PRIORITY: iif TUNNEL fwmark 0/MASK blackhole proto ROUTING_PROTOCOL
 *
 * Only our table gives packets of devices a mark under the mask. Where the table is gone (`nft
 * flush ruleset`, nobody to restore it), nothing of a device is forwarded, with its own address or
 * any. The rules stay when fwd stops. What is addressed to the gateway itself does not meet them.
 *
 * Forwarding: once allowed it stays on.
 */
enum {
	ROUTING_PRIORITY = 10,	/* `ip rule` prints it; before everything but the table local */
	ROUTING_PROTOCOL = 201, /* ours in FRA_PROTOCOL */
};

struct routing {
	struct nl requests, events;
	struct timer settle;
	const struct conf_shared *conf; /* its tunnels */
	const char *sysctl_dir;
	uint32_t mask;
	bool forwarding; /* is to be on */
	/* Something was as it should not be and is restored now; what names it. */
	void (*on_healed)(void *arg, const char *what);
	void *arg;
};

/* Puts up the barrier, takes down what is left of a former configuration's, and watches. */
int routing_open(struct routing *r, uv_loop_t *loop, const struct conf_shared *conf,
	const char *sysctl_dir, uint32_t mask, void (*on_healed)(void *arg, const char *what),
	void *arg);
/* Allows forwarding and keeps it so. -errno as sysctl_allow_forwarding. */
int routing_allow_forwarding(struct routing *r);
/* Closes the handles, also those of a failed or never tried open (zeroed). Rules stay. */
void routing_close(struct routing *r);
void routing_fini(struct routing *r);
