/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/followed.h"
#include "apid/page.h"
#include "apid/routes.h"

#include <errno.h>
#include <string.h>

/* Lists as syncd has them in force, their state, and "sync now" (SPEC S2, S4, A6). */

static void handle_list(struct call *c)
{
	page_answer(c, &c->api->followed->lists, NULL);
}

static void handle_get(struct call *c)
{
	const struct table_row *row = table_find(&c->api->followed->lists, c->args[0]);

	if (row)
		call_text_with(c, 200, "application/json", row->text, row->len, row->etag, NULL);
	else
		call_failed(c, -ENOENT, NULL);
}

static void on_synced(void *arg, int status, const cJSON *result)
{
	struct call *c = arg;
	const char *code =
		status == -EREMOTEIO ? cJSON_GetStringValue(json_get(result, "code")) : NULL;

	if (!status)
		call_json(c, 202, cJSON_Duplicate(result, true));
	else if (code && !strcmp(code, "not_found"))
		call_failed(c, -ENOENT, "there is no such list");
	else
		call_problem_later(c, 503, "syncd does not answer", 2);
	exchange_end_work(&c->x);
}

static void handle_sync(struct call *c)
{
	const char *list = cJSON_GetStringValue(json_get(c->body, "list"));
	cJSON *args = cJSON_CreateObject();

	if (list)
		cJSON_AddStringToObject(args, "list", list);
	exchange_begin_work(&c->x);
	if (bus_request(c->api->bus, REQUEST_syncd_sync_now, args, on_synced, c))
		on_synced(c, -ENOTCONN, NULL);
}

static const struct body_schema list_schema = { .name = "List",
	.is_record = true,
	.record = REC_list,
	.example = "{\"id\":\"adblock\",\"title\":\"Advertising\",\"count\":80214,\"fetched_at"
		   "\":1796000000000}" };
static const struct body_field sync_fields[] = {
	{ .name = "list",
		.type = BODY_TEXT,
		.min = 1,
		.max = 64,
		.help = "this one alone; all of them, and Directus, by default" },
	{ 0 },
};
static const struct body_schema sync_schema = {
	.name = "SyncRequest", .fields = sync_fields, .example = "{\"list\":\"adblock\"}"
};
static const struct body_field synced_fields[] = {
	{ .name = "lists",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "how many are being fetched now; what became of each is in its tried_at, "
			"fetched_at, changed_at, in_force_at and error" },
	{ 0 },
};
static const struct body_schema synced_schema = {
	.name = "SyncAnswer", .fields = synced_fields, .example = "{\"lists\":1}"
};

#define ROUTE(verb, where, who)                                                                    \
	.method = verb, .path = where, .front = FRONT_ADMIN, .roles = who, .scope = SCOPE_POLICY,  \
	.tag = "lists"

static const struct route routes[] = {
	{ ROUTE("GET", "/api/v1/lists", BY_ALL), .response = &list_schema, .is_page = true,
		.params = page_params, .status = 200,
		.summary = "The lists, with their counts, ages and errors", .handle = handle_list },
	{ ROUTE("GET", "/api/v1/lists/{id}", BY_ALL), .response = &list_schema, .status = 200,
		.summary = "One list", .handle = handle_get },
	{ ROUTE("POST", "/api/v1/sync", BY_ADMINS), .reach = REACH_ALL, .request = &sync_schema,
		.response = &synced_schema, .status = 202,
		.summary = "Fetch lists, and ask Directus, now", .handle = handle_sync },
};

struct route_set routes_lists(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
