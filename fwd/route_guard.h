/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/netlink.h"

/*
 * Rules of policy routing, outside of nf_tables: what comes from a tunnel without MARK_ROUTED
 * (marks.h) is unreachable. That mark is given by the table alone, so that nothing of a device is
 * forwarded while the table is gone (F11), also when fwd is. What the gateway itself answers (DNS,
 * proxy) is found by the rule for local addresses, which stands before.
 *
 * One rule for each tunnel and family, with a protocol number of its own: those of others are left
 * alone. A rule that somebody puts before it would route what it is to stop, so it is moved.
 */
enum {
	ROUTE_GUARD_PROTOCOL = 67,    /* whose rules these are (FRA_PROTOCOL) */
	ROUTE_GUARD_PRIORITY = 32000, /* or less, see above */
};

struct route_guard {
	struct nl nl;
	const struct conf_shared *conf; /* its tunnels */
	bool wanted;			/* else there are to be no such rules */
};

int route_guard_open(struct route_guard *g, const struct conf_shared *conf, bool wanted);
void route_guard_close(struct route_guard *g);
/* Puts in what is missing or behind another's, and takes out what the configuration does not want.
 * Then *added says how many were missing. A family that the kernel lacks has none. -errno. */
int route_guard_restore(struct route_guard *g, unsigned *added);
