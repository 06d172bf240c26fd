/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/routes.h"

#include <stdio.h>
#include <string.h>

/*
 * POST /api/directus/changed: Directus says that something has changed (SPEC S3). Its webhook or
 * flow shows a shared secret in the header x-culvert-directus; what it says is only a hint to look
 * at once, so that whoever had the secret could cause work and nothing else.
 */

/* 0; 401 or 404 or 429, *wait then. */
static int check_secret(struct call *c, unsigned *wait)
{
	const char *good = c->api->directus_secret;
	const char *text = http_head_get(exchange_head(&c->x), "x-culvert-directus");
	uint8_t given[DIGEST_LEN], wanted[DIGEST_LEN];
	char key[ADDR_STRLEN + 16], address[ADDR_STRLEN];

	if (!good)
		return 404;
	addr_format(&c->x.host, address);
	snprintf(key, sizeof(key), "directus %s", address);
	*wait = lockout_left(&c->api->lockout, key, strlen(key));
	if (*wait)
		return 429;
	/* Of hashes: how long the comparison takes says nothing about the secret. */
	if (!text || digest_sha256(text, strlen(text), given) ||
		digest_sha256(good, strlen(good), wanted) ||
		secret_differs(given, wanted, DIGEST_LEN)) {
		lockout_fail(&c->api->lockout, key, strlen(key));
		return 401;
	}
	lockout_clear(&c->api->lockout, key, strlen(key));
	*wait = limiter_take(&c->api->hints, "directus", 8);
	return *wait ? 429 : 0;
}

static void on_hinted(void *arg, int status, const cJSON *result)
{
	struct call *c = arg;

	(void)result;
	if (status)
		call_problem_later(c, 503, "syncd does not answer, or has no Directus", 5);
	else
		call_empty(c, 204);
	exchange_end_work(&c->x);
}

static void handle_changed(struct call *c)
{
	const char *collection = cJSON_GetStringValue(json_get(c->body, "collection"));
	unsigned wait = 0;
	int refused = check_secret(c, &wait);
	cJSON *args;

	if (refused == 429) {
		call_problem_later(c, 429, "too often", wait);
		return;
	}
	if (refused) {
		call_problem(c, refused,
			refused == 404 ? "directus_secret_file is not configured"
				       : "x-culvert-directus is not the secret");
		return;
	}
	args = cJSON_CreateObject();
	if (collection && strlen(collection) <= 128)
		cJSON_AddStringToObject(args, "collection", collection);
	exchange_begin_work(&c->x);
	if (bus_request(c->api->bus, REQUEST_syncd_directus_changed, args, on_hinted, c))
		on_hinted(c, -ENOTCONN, NULL);
}

static const struct body_field fields[] = {
	{ .name = "collection", .type = BODY_TEXT, .max = 128, .help = "which; absent: whichever" },
	{ 0 },
};
static const struct body_schema schema = { .name = "DirectusHint",
	.fields = fields,
	.is_open = true,
	.example = "{\"event\":\"items.update\",\"collection\":\"websites\"}" };

static const struct route routes[] = {
	/* Other fields are Directus's own business: is_patch leaves the check to the handler. */
	{ .method = "POST",
		.path = "/api/directus/changed",
		.front = FRONT_ADMIN,
		.auth = AUTH_NONE,
		.request = &schema,
		.is_patch = true,
		.status = 204,
		.problem = 401,
		.tag = "directus",
		.summary = "Something changed in Directus: its webhook, with the secret in the "
			   "header x-culvert-directus",
		.handle = handle_changed },
};

struct route_set routes_directus(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
