/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/routes.h"

#include <string.h>

/* Culvert's CA, which devices are to trust (SPEC P2, A6): proxyd has it. */

static void on_ca(void *arg, int status, const cJSON *result)
{
	struct call *c = arg;
	const char *pem = status ? NULL : cJSON_GetStringValue(json_get(result, "pem"));
	bool is_file = strstr(c->route->path, ".pem");
	struct http_head extra;

	if (!pem) {
		call_problem_later(c, 503, "proxyd does not answer", 2);
	} else if (is_file) {
		http_head_init(&extra);
		http_head_add(
			&extra, "Content-Disposition", "attachment; filename=\"culvert-ca.pem\"");
		call_text_with(c, 200, "application/x-pem-file", pem, strlen(pem), NULL, &extra);
		http_head_fini(&extra);
	} else {
		call_json(c, 200, cJSON_Duplicate(result, true));
	}
	exchange_end_work(&c->x);
}

static void handle_ca(struct call *c)
{
	exchange_begin_work(&c->x);
	if (bus_request(c->api->bus, REQUEST_proxyd_ca, cJSON_CreateObject(), on_ca, c))
		on_ca(c, -ENOTCONN, NULL);
}

static const struct body_field fields[] = {
	{ .name = "pem", .type = BODY_TEXT, .is_read_only = true, .max = 8192 },
	{ .name = "sha256",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 64,
		.help = "of the certificate (DER), in hex" },
	{ 0 },
};
static const struct body_schema schema = { .name = "Ca",
	.fields = fields,
	.example = "{\"pem\":\"-----BEGIN CERTIFICATE-----\\n…\",\"sha256\":\"0f0f0f0f0f0f0f0f"
		   "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"}" };

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/api/v1/ca",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_DEVICES,
		.response = &schema,
		.status = 200,
		.tag = "system",
		.summary = "The certificate that devices are to trust",
		.handle = handle_ca },
	{ .method = "GET",
		.path = "/api/v1/ca.pem",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_DEVICES,
		.response_type = "application/x-pem-file",
		.status = 200,
		.tag = "system",
		.summary = "The same as a file",
		.handle = handle_ca },
};

struct route_set routes_ca(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
