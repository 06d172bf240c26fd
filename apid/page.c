/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct route_param page_params[] = {
	{ "cursor", "where the page begins: `next` of the one before" },
	{ "limit", "records per page, 1 to 500; 50 by default" },
	{ "q", "a part of id or name" },
	{ "group", "of this group only" },
	{ "user", "of this user only" },
	{ "device", "of this device only" },
	{ "active", "true or false" },
	{ 0 },
};

struct filter {
	const char *q, *group, *user, *device, *active;
};

static bool is_same(const char *wanted, const char *text)
{
	return !wanted || (text && !strcmp(wanted, text));
}

static bool fits(const struct filter *f, const struct table_row *row)
{
	if (!is_same(f->group, row->group) || !is_same(f->user, row->user) ||
		!is_same(f->device, row->device))
		return false;
	if (f->active && row->is_off != !strcmp(f->active, "false"))
		return false;
	return !f->q || strcasestr(row->id, f->q) || (row->name && strcasestr(row->name, f->q));
}

static void add_row(struct buf *out, const struct table_row *row, size_t n)
{
	if (n)
		buf_append_byte(out, ',');
	buf_append(out, row->text, row->len);
}

static void add_next(struct buf *out, const char *id)
{
	cJSON *text = id ? cJSON_CreateString(id) : cJSON_CreateNull();
	char *json = text ? json_format(text) : NULL;

	buf_append_str(out, "],\"next\":");
	buf_append_str(out, json ? json : "null");
	buf_append_byte(out, '}');
	free(json);
	cJSON_Delete(text);
}

void page_answer(struct call *c, const struct table *t,
	bool (*may_see)(struct call *c, const struct table_row *row))
{
	const struct filter f = { call_param(c, "q"), call_param(c, "group"), call_param(c, "user"),
		call_param(c, "device"), call_param(c, "active") };
	const char *cursor = call_param(c, "cursor"), *last = NULL;
	int64_t limit = PAGE_LIMIT, n = 0;
	bool has_more = false;
	struct buf out;

	if (f.active && strcmp(f.active, "true") && strcmp(f.active, "false")) {
		call_invalid(c, "active", "is neither true nor false");
		return;
	}
	if (!call_param_int(c, "limit", 1, PAGE_LIMIT_MAX, &limit))
		return;
	buf_init(&out, 0);
	buf_append_str(&out, "{\"items\":[");
	for (size_t i = table_after(t, cursor ? cursor : ""); i < t->n; i++) {
		const struct table_row *row = t->sorted[i];

		if (!fits(&f, row) || (may_see && !may_see(c, row)))
			continue;
		if (n == limit) {
			has_more = true;
			break;
		}
		add_row(&out, row, (size_t)n++);
		last = row->id;
	}
	add_next(&out, has_more ? last : NULL);
	if (out.failed)
		call_failed(c, -ENOMEM, NULL);
	else
		call_text(c, 200, "application/json", (char *)out.data, out.len);
	buf_fini(&out);
}

void page_answer_rows(struct call *c, int status, const struct db_rows *rows, int64_t limit,
	cJSON *(*make)(const struct db_rows *rows, size_t i), size_t next_column)
{
	cJSON *items = rows ? cJSON_CreateArray() : NULL;
	const char *next = NULL;

	if (!rows) {
		call_failed(c, status, NULL);
		return;
	}
	for (size_t i = 0; i < rows->n && (int64_t)i < limit; i++)
		cJSON_AddItemToArray(items, make(rows, i));
	if ((int64_t)rows->n > limit)
		next = db_cell(rows, (size_t)limit - 1, next_column);
	page_answer_items(c, items, next);
}

void page_answer_items(struct call *c, cJSON *items, const char *next)
{
	cJSON *page = cJSON_CreateObject();

	if (!page || !items) {
		cJSON_Delete(items);
		cJSON_Delete(page);
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	cJSON_AddItemToObject(page, "items", items);
	if (next)
		cJSON_AddStringToObject(page, "next", next);
	else
		cJSON_AddNullToObject(page, "next");
	call_json(c, 200, page);
}
