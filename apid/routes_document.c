/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/openapi.h"
#include "apid/routes.h"

/* GET /api/openapi.json: open to all; the document is no secret. */
static void handle_document(struct call *c)
{
	size_t n;
	const struct route *routes_of = router_routes(c->api->router, &n);

	call_json(c, 200, openapi_make(routes_of, n));
}

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/api/openapi.json",
		.front = FRONT_ADMIN,
		.auth = AUTH_NONE,
		.response_type = "application/json",
		.status = 200,
		.tag = "api",
		.summary = "This document",
		.handle = handle_document },
};

struct route_set routes_document(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
