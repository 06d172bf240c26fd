/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/live.h"
#include "apid/routes.h"

/* /ws/live and /ws/stats (SPEC A5): the handshake; from then on apid/live.c has them. */

static void handle_live(struct call *c)
{
	live_join(c->api->live, c, LIVE_ROWS);
}

static void handle_stats(struct call *c)
{
	live_join(c->api->live, c, LIVE_STATS);
}

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/ws/live",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_DEVICES,
		.reach = REACH_GROUPS,
		.status = 101,
		.problem = 426,
		.tag = "live",
		.summary = "A WebSocket: what devices ask for, as it happens",
		.handle = handle_live },
	{ .method = "GET",
		.path = "/ws/stats",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_DEVICES,
		.reach = REACH_GROUPS,
		.status = 101,
		.problem = 426,
		.tag = "live",
		.summary = "A WebSocket: totals every second, and how the daemons are",
		.handle = handle_stats },
};

struct route_set routes_live(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
