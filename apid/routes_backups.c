/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/routes.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Backups are made by culvert-backup(8), which is root's: apid asks by a file that
 * culvert-backup-request.path waits for, and reads what culvert-backup tells of its work. */

enum { STATUS_BYTES_MAX = 65536, RUN_MAX_MS = 6 * 3600 * 1000 };

/* NULL: no backup was ever tried, or what is told of it cannot be read (*err says which). */
static cJSON *read_status(const struct api *a, int *err)
{
	struct buf text;
	cJSON *json = NULL;

	buf_init(&text, STATUS_BYTES_MAX);
	*err = buf_read_file(&text, a->backup_status_file);
	if (!*err)
		json = json_parse((char *)text.data, text.len);
	if (!*err && !cJSON_IsObject(json))
		*err = -EBADMSG;
	if (*err) {
		cJSON_Delete(json);
		json = NULL;
	}
	buf_fini(&text);
	return json;
}

static int64_t number_of(const cJSON *json, const char *name)
{
	int64_t n = 0;

	json_get_int(json_get(json, name), &n);
	return n;
}

/* One that was begun and never ended, as the machine went down, runs no more. */
static bool is_running(const cJSON *status)
{
	const char *state = cJSON_GetStringValue(json_get(status, "state"));

	return state && !strcmp(state, "running") &&
	       clock_wall_ms() - number_of(status, "started_at") < RUN_MAX_MS;
}

static bool is_requested(const struct api *a)
{
	return !access(a->backup_request_file, F_OK);
}

static const char *state_of(const struct api *a, const cJSON *status)
{
	const char *state = cJSON_GetStringValue(json_get(status, "state"));

	if (is_running(status))
		return "running";
	if (is_requested(a))
		return "requested";
	if (!status)
		return "never";
	return state && !strcmp(state, "done") ? "done" : "failed";
}

static void add_time(cJSON *o, const char *name, const cJSON *status)
{
	int64_t at = number_of(status, name);

	if (at)
		cJSON_AddNumberToObject(o, name, (double)at);
	else
		cJSON_AddNullToObject(o, name);
}

static void add_items(cJSON *o, const cJSON *status)
{
	cJSON *items = cJSON_AddArrayToObject(o, "items");
	const cJSON *one;

	cJSON_ArrayForEach (one, json_get(status, "items")) {
		const char *name = cJSON_GetStringValue(json_get(one, "name"));
		cJSON *item = name ? cJSON_CreateObject() : NULL;

		if (!item)
			continue;
		cJSON_AddStringToObject(item, "name", name);
		cJSON_AddNumberToObject(item, "bytes", (double)number_of(one, "bytes"));
		cJSON_AddNumberToObject(item, "at", (double)number_of(one, "at"));
		cJSON_AddItemToArray(items, item);
	}
}

static void answer(struct call *c, int code)
{
	int err;
	cJSON *status = read_status(c->api, &err), *o;
	const char *error = cJSON_GetStringValue(json_get(status, "error"));

	if (err && err != -ENOENT) {
		call_problem_later(c, 503, "what culvert-backup tells cannot be read", 60);
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "state", state_of(c->api, status));
	add_time(o, "started_at", status);
	add_time(o, "ended_at", status);
	if (error && error[0])
		cJSON_AddStringToObject(o, "error", error);
	else
		cJSON_AddNullToObject(o, "error");
	add_items(o, status);
	cJSON_Delete(status);
	call_json(c, code, o);
}

static void handle_get(struct call *c)
{
	answer(c, 200);
}

static int note_step(void *arg, struct db_batch *b, unsigned number)
{
	const struct deed *d = arg;

	(void)number;
	write_audit(b, &d->by, "backup_request", "", NULL, NULL);
	return 0;
}

/* Noted, then asked. The file's text is nothing to anybody: that it is there says all. */
static void request(struct deed *d)
{
	if (file_write_atomic(d->c->api->backup_request_file, "", 0, 0600))
		call_problem_later(d->c, 503, "the request cannot be written", 60);
	else
		answer(d->c, 202);
}

static void handle_post(struct call *c)
{
	int err;
	cJSON *status = read_status(c->api, &err);
	bool is_under_way = is_running(status) || is_requested(c->api);
	struct deed *d;

	cJSON_Delete(status);
	if (is_under_way) {
		call_failed(c, -EEXIST, "a backup is under way, or requested");
		return;
	}
	d = deed_new(c, note_step, request);
	if (!d)
		return;
	d->topic = "backups";
	deed_start(d);
}

static const struct body_field file_fields[] = {
	{ .name = "name",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 128,
		.help = "in /var/backups/culvert" },
	{ .name = "bytes", .type = BODY_INT, .is_read_only = true },
	{ .name = "at", .type = BODY_INT, .is_read_only = true, .help = "epoch milliseconds" },
	{ 0 },
};
static const struct body_schema file_schema = { .name = "BackupFile", .fields = file_fields };
static const char *const states[] = { "never", "requested", "running", "done", "failed", NULL };
static const struct body_field fields[] = {
	{ .name = "state",
		.type = BODY_ENUM,
		.is_read_only = true,
		.values = states,
		.help = "of the last one, also of those each night; requested: nobody has begun it "
			"yet" },
	{ .name = "started_at", .type = BODY_INT, .is_read_only = true, .is_nullable = true },
	{ .name = "ended_at", .type = BODY_INT, .is_read_only = true, .is_nullable = true },
	{ .name = "error",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 512,
		.help = "why it failed" },
	{ .name = "items",
		.type = BODY_OBJECTS,
		.is_read_only = true,
		.of = &file_schema,
		.help = "those that there are, newest first; encrypted, and root's alone" },
	{ 0 },
};
static const struct body_schema schema = { .name = "Backups",
	.fields = fields,
	.example = "{\"state\":\"done\",\"started_at\":1796000000000,\"ended_at\":1796000004000,"
		   "\"error\":null,\"items\":[{\"name\":\"culvert-20261130T020000Z.backup\","
		   "\"bytes\":184320,\"at\":1796000004000}]}" };

#define ROUTE(m)                                                                                   \
	.method = m, .path = "/api/v1/backups", .front = FRONT_ADMIN, .roles = BY_OWNER,           \
	.scope = SCOPE_SYSTEM, .reach = REACH_ALL, .response = &schema, .tag = "system"

static const struct route routes[] = {
	{ ROUTE("GET"), .status = 200, .summary = "The backups, and what became of the last one",
		.handle = handle_get },
	{ ROUTE("POST"), .status = 202, .summary = "Ask for a backup now", .handle = handle_post },
};

struct route_set routes_backups(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
