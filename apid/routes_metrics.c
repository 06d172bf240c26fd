/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/metrics.h"
#include "apid/routes.h"

#include <errno.h>

/* GET /metrics: for metrics_token_file, or a token of the scope metrics. */
static void handle_metrics(struct call *c)
{
	struct metrics_source m = { .live = c->api->live,
		.fronts = front_get_stats(c->api->admin) };
	struct buf out;

	buf_init(&out, 4 << 20);
	if (metrics_write(&m, &out))
		call_failed(c, -ENOMEM, NULL);
	else
		call_text(c, 200, "text/plain; version=0.0.4; charset=utf-8",
			(const char *)out.data, out.len);
	buf_fini(&out);
}

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/metrics",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_METRICS,
		.reach = REACH_ALL,
		.takes_metrics_token = true,
		.response_type = "text/plain",
		.status = 200,
		.tag = "system",
		.summary = "Metrics for Prometheus",
		.handle = handle_metrics },
};

struct route_set routes_metrics(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
