/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/followed.h"
#include "apid/page.h"
#include "apid/routes.h"

#include <errno.h>
#include <string.h>

/* Lists as syncd has them in force, their state, and "sync now" (SPEC S2, S4, A6). */

static void answer_unfound(struct call *c)
{
	if (bus_topic_is_answered(c->api->bus, TOPIC_lists, BUS_SYNCD))
		call_failed(c, -ENOENT, "there is no such list");
	else
		call_problem_later(c, 503, "which lists there are is not known yet", 2);
}

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
		answer_unfound(c);
}

/* What syncd's refusals are to a client. */
static const struct {
	const char *code;
	int error;
	const char *why;
} refusals[] = {
	{ "not_found", -ENOENT, "there is no such list" },
	{ "not_held", -EEXIST, "nothing of that is held back" },
	{ "pinned", -EEXIST, "the list is held at a version: release it first" },
	{ "no_version", -ENOENT, "no such version of the list is kept" },
	{ "not_pinned", -EEXIST, "the list is not held: it follows its source" },
};

static void answer_failure(struct call *c, int status, const cJSON *result)
{
	const char *code =
		status == -EREMOTEIO ? cJSON_GetStringValue(json_get(result, "code")) : NULL;

	for (size_t i = 0; code && i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (!strcmp(code, refusals[i].code)) {
			call_failed(c, refusals[i].error, refusals[i].why);
			return;
		}
	}
	if (code && !strcmp(code, "not_saved"))
		call_problem_later(c, 503, "syncd cannot write it down now; it is tried again", 5);
	else if (code && !strcmp(code, "starting"))
		call_problem_later(c, 503, "syncd has just started; try again", 2);
	else
		call_problem_later(c, 503, "syncd does not answer", 2);
}

static void on_answer(void *arg, int status, const cJSON *result)
{
	struct call *c = arg;

	if (status)
		answer_failure(c, status, result);
	else if (c->route->status == 204)
		call_empty(c, 204);
	else
		call_json(c, c->route->status, cJSON_Duplicate(result, true));
	exchange_end_work(&c->x);
}

static void ask(struct call *c, enum bus_op op, cJSON *args)
{
	exchange_begin_work(&c->x);
	if (bus_request(c->api->bus, op, args, on_answer, c))
		on_answer(c, -ENOTCONN, NULL);
}

static void handle_sync(struct call *c)
{
	const char *list = cJSON_GetStringValue(json_get(c->body, "list"));
	const char *confirm = cJSON_GetStringValue(json_get(c->body, "confirm"));
	cJSON *args = cJSON_CreateObject();

	if (list)
		cJSON_AddStringToObject(args, "list", list);
	if (confirm)
		cJSON_AddStringToObject(args, "confirm", confirm);
	ask(c, REQUEST_syncd_sync_now, args);
}

/* ---- rolling back: noted, then done by syncd ---- */

static int note_step(void *arg, struct db_batch *b, unsigned number)
{
	const struct deed *d = arg;
	bool is_release = d->c->route->status == 204;

	(void)number;
	write_audit(b, &d->by, is_release ? "list_release" : "list_rollback", d->c->args[0], NULL,
		d->text);
	return 0;
}

static void roll_back(struct deed *d)
{
	const cJSON *version = json_get(d->c->body, "version");
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "list", d->c->args[0]);
	if (version)
		cJSON_AddStringToObject(args, "version", version->valuestring);
	ask(d->c, REQUEST_syncd_list_rollback, args);
}

static void release(struct deed *d)
{
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "list", d->c->args[0]);
	ask(d->c, REQUEST_syncd_list_release, args);
}

static void start(struct call *c, void (*act)(struct deed *d))
{
	struct deed *d;

	if (!table_find(&c->api->followed->lists, c->args[0])) {
		answer_unfound(c);
		return;
	}
	d = deed_new(c, note_step, act);
	if (!d)
		return;
	d->topic = "lists";
	d->id = c->args[0];
	d->text = c->body ? json_format(c->body) : NULL;
	deed_start(d);
}

static void handle_rollback(struct call *c)
{
	start(c, roll_back);
}

static void handle_release(struct call *c)
{
	start(c, release);
}

#define VERSION "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953"

static const struct body_schema list_schema = { .name = "List",
	.is_record = true,
	.record = REC_list,
	.example =
		"{\"id\":\"adblock\",\"title\":\"Advertising\",\"count\":80214,\"fetched_at"
		"\":1796000000000,\"version\":\"" VERSION "\",\"versions\":[{\"version\":\"" VERSION
		"\",\"since\":1795990000000,\"count\":80214}]}" };
static const struct body_field sync_fields[] = {
	{ .name = "list",
		.type = BODY_TEXT,
		.min = 1,
		.max = 64,
		.help = "this one alone; all of them, and Directus, by default" },
	{ .name = "confirm",
		.type = BODY_TEXT,
		.min = 1,
		.max = 64,
		.help = "what is missing of this one of syncd's `directus.collections`, which is "
			"`held`, is gone indeed: it goes out of force; 409: nothing is held" },
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

static const struct body_field rollback_fields[] = {
	{ .name = "version",
		.type = BODY_TEXT,
		.min = 64,
		.max = 64,
		.pattern = "^[0-9a-f]{64}$",
		.help = "one of the list's `versions`; the one before that in use by default" },
	{ 0 },
};
static const struct body_schema rollback_schema = { .name = "ListRollback",
	.fields = rollback_fields,
	.example = "{\"version\":\"" VERSION "\"}" };
static const struct body_field rolled_back_fields[] = {
	{ .name = "version", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ .name = "pinned_at",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "the list's, too, until it is released; `version` of the list is this one "
			"once it is in use, `in_force_at` tells since when everywhere" },
	{ 0 },
};
static const struct body_schema rolled_back_schema = { .name = "ListRolledBack",
	.fields = rolled_back_fields,
	.example = "{\"version\":\"" VERSION "\",\"pinned_at\":1796000000000}" };

#define ROUTE(verb, where, who)                                                                    \
	.method = verb, .path = where, .front = FRONT_ADMIN, .roles = who, .scope = SCOPE_POLICY,  \
	.tag = "lists"

static const struct route routes[] = {
	{ ROUTE("GET", "/api/v1/lists", BY_ALL), .response = &list_schema, .is_page = true,
		.params = page_params, .status = 200,
		.summary = "The lists, with their counts, ages and errors", .handle = handle_list },
	{ ROUTE("GET", "/api/v1/lists/{id}", BY_ALL), .response = &list_schema, .status = 200,
		.summary = "One list", .handle = handle_get },
	{ ROUTE("POST", "/api/v1/lists/{id}/rollback", BY_ADMINS), .reach = REACH_ALL,
		.request = &rollback_schema, .response = &rolled_back_schema, .status = 202,
		.summary = "Go back to a version of the list, and stay there until it is released",
		.handle = handle_rollback },
	{ ROUTE("DELETE", "/api/v1/lists/{id}/rollback", BY_ADMINS), .reach = REACH_ALL,
		.status = 204, .summary = "Release the list: it follows its source again",
		.handle = handle_release },
	{ ROUTE("POST", "/api/v1/sync", BY_ADMINS), .reach = REACH_ALL, .request = &sync_schema,
		.response = &synced_schema, .status = 202,
		.summary = "Fetch lists, and ask Directus, now", .handle = handle_sync },
};

struct route_set routes_lists(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
