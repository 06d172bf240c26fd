/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/openapi.h"
#include "apid/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *make_document(const struct api *a)
{
	size_t n;
	const struct route *routes_of = router_routes(a->router, &n);
	cJSON *json = openapi_make(routes_of, n);
	char *text = json ? json_format(json) : NULL;

	cJSON_Delete(json);
	return text;
}

/* GET /api/openapi.json: open to all; the document is no secret. It is made once, since anyone may
 * ask as often as the limit of an address allows. */
static void handle_document(struct call *c)
{
	struct api *a = c->api;

	if (!a->document)
		a->document = make_document(a);
	if (a->document)
		call_text(c, 200, "application/json", a->document, strlen(a->document));
	else
		call_failed(c, -ENOMEM, NULL);
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
