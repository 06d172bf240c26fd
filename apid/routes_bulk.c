/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/bulk_devices.h"
#include "apid/call.h"
#include "apid/cells.h"
#include "apid/routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Import and export of whole resources, as JSON or CSV (SPEC A6). */

/* NULL: answered. */
static const struct resource *find_resource(struct call *c)
{
	const struct resource *r =
		strcmp(c->args[0], "devices") ? resources_find(c->args[0]) : &bulk_device_resource;

	if (!r)
		call_failed(c, -ENOENT, "there is no such resource");
	return r;
}

/* False: answered. */
static bool read_flag(struct call *c, const char *name, bool *out)
{
	const char *text = call_param(c, name);

	*out = text && !strcmp(text, "true");
	if (!text || *out || !strcmp(text, "false"))
		return true;
	call_invalid(c, name, "is neither true nor false");
	return false;
}

/* ---- import ---- */

struct import {
	struct call *c;
	struct bulk bulk;
	bool is_dry;
};

static void free_import(void *data)
{
	struct import *i = data;

	bulk_fini(&i->bulk);
	free(i);
}

static void answer(struct import *i, bool is_applied)
{
	struct bulk *b = &i->bulk;
	cJSON *out = cJSON_CreateObject();

	cJSON_AddBoolToObject(out, "applied", is_applied);
	cJSON_AddNumberToObject(out, "records", (double)b->n);
	cJSON_AddNumberToObject(out, "added", (double)b->added);
	cJSON_AddNumberToObject(out, "changed", (double)b->changed);
	cJSON_AddNumberToObject(out, "unchanged", (double)b->unchanged);
	cJSON_AddNumberToObject(out, "removed", (double)b->gone_count);
	cJSON_AddNumberToObject(out, "error_count", (double)b->error_count);
	cJSON_AddItemToObject(out, "errors", b->errors);
	b->errors = NULL;
	call_json(i->c, 200, out);
}

static void on_written(void *arg, int status)
{
	struct import *i = arg;
	struct call *c = i->c;

	if (status && status != -EALREADY)
		call_failed(c, status,
			status == -EEXIST ? "a key or address is another device's" : NULL);
	else
		answer(i, !status);
	exchange_end_work(&c->x);
}

static struct import *begin(struct call *c, const struct resource *r)
{
	struct import *i = calloc(1, sizeof(*i));

	if (!i) {
		call_failed(c, -ENOMEM, NULL);
		return NULL;
	}
	i->c = c;
	i->bulk = (struct bulk){ .a = c->api, .r = r };
	bulk_init(&i->bulk);
	c->data = i;
	c->free_data = free_import;
	return i;
}

static void handle_import(struct call *c)
{
	const struct resource *r = find_resource(c);
	const cJSON *records = json_get(c->body, "records"), *csv = json_get(c->body, "csv");
	struct store_actor by;
	bool is_dry, replace;
	struct import *i;
	int err;

	if (!r || !read_flag(c, "dry_run", &is_dry) || !read_flag(c, "replace", &replace))
		return;
	if (!records == !csv) {
		call_invalid(c, "/records", "or csv must be there, one of them");
		return;
	}
	if (replace && r->table == TOPIC_devices) {
		call_invalid(c, "replace", "is not for devices: remove them one by one");
		return;
	}
	if (records && !cJSON_IsArray(records)) {
		call_invalid(c, "/records", "is not an array");
		return;
	}
	i = begin(c, r);
	if (!i)
		return;
	err = records ? bulk_read_records(&i->bulk, records)
		      : bulk_read_csv(&i->bulk, csv->valuestring);
	if (!err)
		err = bulk_check(&i->bulk, replace);
	call_by(c, &by);
	if (err) {
		call_failed(c, err, NULL);
	} else if (i->bulk.error_count) {
		answer(i, false);
	} else {
		exchange_begin_work(&c->x);
		if (r->table == TOPIC_devices)
			bulk_devices_write(&i->bulk, is_dry, &by, on_written, i);
		else
			bulk_write(&i->bulk, is_dry, &by, on_written, i);
	}
}

/* ---- export ---- */

static void add_rows(const struct resource *r, const struct table *t, bool is_csv, struct buf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct table_row *row = t->sorted[i];
		cJSON *record = is_csv ? json_parse(row->text, row->len) : NULL;

		if (is_csv)
			cells_append(r->schema, record, out);
		else
			buf_printf(out, "%s%s", i ? ",\n" : "", row->text);
		cJSON_Delete(record);
	}
}

static void handle_export(struct call *c)
{
	const struct resource *r = find_resource(c);
	const char *format = call_param(c, "format");
	bool is_csv = format && !strcmp(format, "csv");
	struct http_head extra;
	char name[96];
	struct buf out;

	if (!r)
		return;
	if (format && !is_csv && strcmp(format, "json") != 0) {
		call_invalid(c, "format", "is neither json nor csv");
		return;
	}
	buf_init(&out, 0);
	if (is_csv)
		cells_append_head(r->schema, &out);
	else
		buf_append_str(&out, "{\"records\":[\n");
	add_rows(r, store_table(c->api->store, r->table), is_csv, &out);
	if (!is_csv)
		buf_append_str(&out, "\n]}\n");
	http_head_init(&extra);
	snprintf(name, sizeof(name), "attachment; filename=\"%s.%s\"", c->args[0],
		is_csv ? "csv" : "json");
	http_head_add(&extra, "Content-Disposition", name);
	if (out.failed)
		call_failed(c, -ENOMEM, NULL);
	else
		call_text_with(c, 200, is_csv ? "text/csv; charset=utf-8" : "application/json",
			(char *)out.data, out.len, NULL, &extra);
	http_head_fini(&extra);
	buf_fini(&out);
}

/* ---- routes ---- */

static const struct route_param import_params[] = {
	{ "dry_run", "true: only say what it would do" },
	{ "replace", "true: records that are not among them are removed" },
	{ 0 },
};
static const struct route_param export_params[] = {
	{ "format", "json, which import takes as it is, or csv; json by default" },
	{ 0 },
};
static const struct body_schema any_schema = { .name = "AnyRecord",
	.is_open = true,
	.example = "{\"id\":\"w1\",\"pattern\":\"example.org\"}" };
static const struct body_field import_fields[] = {
	{ .name = "records",
		.type = BODY_ANY,
		.help = "at most 10000, as the resource takes them; without an id each gets one "
			"that "
			"follows from what it says" },
	{ .name = "csv",
		.type = BODY_TEXT,
		.max = BULK_BYTES_MAX,
		.help = "instead: a file of comma-separated values whose first row names the "
			"fields" },
	{ 0 },
};
static const struct body_schema import_schema = { .name = "Import",
	.fields = import_fields,
	.example = "{\"csv\":\"term,match\\r\\nword,exact\\r\\n\"}" };
static const struct body_field error_fields[] = {
	{ .name = "row",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "of the record from 1, or the line of the file" },
	{ .name = "id", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "pointer", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "reason", .type = BODY_TEXT, .is_read_only = true },
	{ 0 },
};
static const struct body_schema error_schema = { .name = "ImportError", .fields = error_fields };
static const struct body_field result_fields[] = {
	{ .name = "applied",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "all of it or, with errors or dry_run, nothing" },
	{ .name = "records", .type = BODY_INT, .is_read_only = true },
	{ .name = "added", .type = BODY_INT, .is_read_only = true },
	{ .name = "changed", .type = BODY_INT, .is_read_only = true },
	{ .name = "unchanged", .type = BODY_INT, .is_read_only = true },
	{ .name = "removed", .type = BODY_INT, .is_read_only = true },
	{ .name = "error_count", .type = BODY_INT, .is_read_only = true },
	{ .name = "errors",
		.type = BODY_OBJECTS,
		.max = BULK_ERRORS_MAX,
		.is_read_only = true,
		.of = &error_schema },
	{ 0 },
};
static const struct body_schema result_schema = { .name = "ImportResult",
	.fields = result_fields,
	.example = "{\"applied\":true,\"records\":2,\"added\":1,\"changed\":1,\"unchanged\":0,"
		   "\"removed\":0,\"error_count\":0,\"errors\":[]}" };

static const struct route routes[] = {
	{ .method = "POST",
		.path = "/api/v1/import/{resource}",
		.front = FRONT_ADMIN,
		.roles = BY_ADMINS,
		.scope = SCOPE_SYSTEM,
		.reach = REACH_ALL,
		.request = &import_schema,
		.response = &result_schema,
		.status = 200,
		.params = import_params,
		.body_max = BULK_BYTES_MAX,
		.tag = "bulk",
		.summary = "Many records of a resource (words, websites …) in one transaction",
		.handle = handle_import },
	{ .method = "GET",
		.path = "/api/v1/export/{resource}",
		.front = FRONT_ADMIN,
		.roles = BY_ADMINS,
		.scope = SCOPE_SYSTEM,
		.reach = REACH_ALL,
		.other_type = "text/csv",
		.response = &any_schema,
		.status = 200,
		.params = export_params,
		.tag = "bulk",
		.summary = "All records of a resource, as a file",
		.handle = handle_export },
};

struct route_set routes_bulk(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
