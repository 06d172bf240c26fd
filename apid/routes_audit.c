/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/page.h"
#include "apid/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* GET /api/v1/audit: newest first. Nothing can change it. */

struct audit {
	struct call *c;
	size_t rows; /* statement */
	int64_t limit;
};

static void add_json(cJSON *item, const char *name, const char *text)
{
	cJSON *json = text ? json_parse(text, strlen(text)) : NULL;

	cJSON_AddItemToObject(item, name, json ? json : cJSON_CreateNull());
}

static cJSON *make_item(const struct db_rows *r, size_t i)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddNumberToObject(item, "id", (double)atoll(db_cell(r, i, 0)));
	cJSON_AddNumberToObject(item, "at", (double)atoll(db_cell(r, i, 1)));
	cJSON_AddStringToObject(item, "actor", db_cell(r, i, 2));
	cJSON_AddStringToObject(item, "address", db_cell(r, i, 3));
	cJSON_AddStringToObject(item, "action", db_cell(r, i, 4));
	cJSON_AddStringToObject(item, "subject", db_cell(r, i, 5));
	add_json(item, "old", db_cell(r, i, 6));
	add_json(item, "new", db_cell(r, i, 7));
	return item;
}

static void on_rows(void *arg, struct db_batch *b, int status)
{
	struct audit *a = arg;
	struct call *c = a->c;

	page_answer_rows(
		c, status, status ? NULL : db_batch_rows(b, a->rows), a->limit, make_item, 0);
	exchange_end_work(&c->x);
}

static void handle_list(struct call *c)
{
	int64_t limit = PAGE_LIMIT, before = INT64_MAX;
	const char *subject = call_param(c, "subject"), *actor = call_param(c, "actor");
	struct db_batch *b;
	struct audit *a;

	if (!call_param_int(c, "limit", 1, PAGE_LIMIT_MAX, &limit) ||
		!call_param_int(c, "cursor", 1, INT64_MAX, &before))
		return;
	b = db_batch_new();
	a = b ? calloc(1, sizeof(*a)) : NULL;
	if (!a) {
		if (b)
			db_batch_drop(b);
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	c->data = a;
	c->free_data = free;
	a->c = c;
	a->limit = limit;
	a->rows = db_add(b,
		"SELECT id, at, actor, address, action, subject, old, new FROM audit WHERE id < ? "
		"AND "
		"(? IS NULL OR subject = ?) AND (? IS NULL OR actor = ?) ORDER BY id DESC LIMIT ?",
		"issssi", before, subject, subject, actor, actor, limit + 1);
	exchange_begin_work(&c->x);
	store_read(c->api->store, b, on_rows, a);
}

static const struct route_param params[] = {
	{ "cursor", "where the page begins: `next` of the one before" },
	{ "limit", "rows per page, 1 to 500; 50 by default" },
	{ "subject", "about this record only" },
	{ "actor", "by this one only" },
	{ 0 },
};
static const struct body_field fields[] = {
	{ .name = "id", .type = BODY_INT, .is_read_only = true },
	{ .name = "at", .type = BODY_INT, .is_read_only = true, .help = "epoch milliseconds" },
	{ .name = "actor", .type = BODY_TEXT, .is_read_only = true, .max = 130 },
	{ .name = "address", .type = BODY_TEXT, .is_read_only = true, .max = 45 },
	{ .name = "action", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ .name = "subject", .type = BODY_TEXT, .is_read_only = true, .max = 400 },
	{ .name = "old", .type = BODY_ANY, .is_read_only = true },
	{ .name = "new", .type = BODY_ANY, .is_read_only = true },
	{ 0 },
};
static const struct body_schema schema = { .name = "AuditRow",
	.fields = fields,
	.example = "{\"id\":62,\"at\":1796000000000,\"actor\":\"admin:anna\",\"address\":\"192"
		   ".0.2.7\",\"action\":\"device_change\",\"subject\":\"phone\",\"old\":{\"id"
		   "\":\"phone\",\"active\":true},\"new\":{\"id\":\"phone\",\"active\":false}}" };

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/api/v1/audit",
		.front = FRONT_ADMIN,
		.roles = BY_ADMINS,
		.scope = SCOPE_SYSTEM,
		.reach = REACH_ALL,
		.response = &schema,
		.is_page = true,
		.status = 200,
		.params = params,
		.tag = "accounts",
		.summary = "Who changed what, newest first",
		.handle = handle_list },
};

struct route_set routes_audit(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
