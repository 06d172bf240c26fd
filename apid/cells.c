/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/cells.h"
#include "apid/csv.h"
#include "common/codec_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum cell_kind { CELL_TEXT, CELL_BOOL, CELL_INT, CELL_TEXTS, CELL_JSON };

typedef void on_field(void *arg, const char *name, enum cell_kind kind);

static enum cell_kind body_kind(enum body_type t)
{
	switch (t) {
	case BODY_TEXT:
	case BODY_ENUM:
		return CELL_TEXT;
	case BODY_BOOL:
		return CELL_BOOL;
	case BODY_INT:
		return CELL_INT;
	case BODY_TEXTS:
		return CELL_TEXTS;
	case BODY_OBJECT:
	case BODY_OBJECTS:
	case BODY_ANY:
		break;
	}
	return CELL_JSON;
}

static enum cell_kind codec_kind(enum codec_type t)
{
	switch (t) {
	case CODEC_TYPE_STR:
	case CODEC_TYPE_ENUM:
		return CELL_TEXT;
	case CODEC_TYPE_BOOL:
		return CELL_BOOL;
	case CODEC_TYPE_INT:
		return CELL_INT;
	case CODEC_TYPE_STRS:
		return CELL_TEXTS;
	case CODEC_TYPE_OBJ:
	case CODEC_TYPE_OBJS:
	case CODEC_TYPE_INLINE:
	case CODEC_TYPE_JSON:
		break;
	}
	return CELL_JSON;
}

static bool is_left_out(const struct body_schema *s, const char *name)
{
	for (size_t i = 0; s->record_without && s->record_without[i]; i++) {
		if (!strcmp(s->record_without[i], name))
			return true;
	}
	return false;
}

static void each_record_field(
	const struct body_schema *s, enum rec_type type, on_field *on, void *arg)
{
	for (const struct codec_field *f = codec_record(type)->fields; f->name; f++) {
		if (f->type == CODEC_TYPE_INLINE)
			each_record_field(s, (enum rec_type)f->sub, on, arg);
		else if (!is_left_out(s, f->name))
			on(arg, f->name, codec_kind(f->type));
	}
}

static void each_field(const struct body_schema *s, on_field *on, void *arg)
{
	if (s->is_record)
		each_record_field(s, s->record, on, arg);
	for (const struct body_field *f = s->fields; f && f->name; f++) {
		if (!f->is_read_only)
			on(arg, f->name, body_kind(f->type));
	}
}

/* ---- from cells ---- */

struct wanted {
	const char *name;
	bool found;
	enum cell_kind kind;
};

static void find(void *arg, const char *name, enum cell_kind kind)
{
	struct wanted *w = arg;

	if (strcmp(name, w->name) != 0)
		return;
	w->found = true;
	w->kind = kind;
}

bool cells_has_field(const struct body_schema *s, const char *name)
{
	struct wanted w = { .name = name };

	each_field(s, find, &w);
	return w.found;
}

static cJSON *split(const char *cell)
{
	cJSON *out = cJSON_CreateArray();

	for (const char *at = cell; out && *at;) {
		size_t len = strcspn(at, ";");
		char *one = strndup(at, len);

		cJSON_AddItemToArray(out, cJSON_CreateString(one ? one : ""));
		free(one);
		at += len + (at[len] == ';');
	}
	return out;
}

static cJSON *make_value(enum cell_kind kind, const char *cell)
{
	cJSON *json;
	int64_t n;

	switch (kind) {
	case CELL_TEXT:
		return cJSON_CreateString(cell);
	case CELL_BOOL:
		return !strcmp(cell, "true")	? cJSON_CreateTrue()
		       : !strcmp(cell, "false") ? cJSON_CreateFalse()
						: NULL;
	case CELL_TEXTS:
		return cell[0] == '[' ? json_parse(cell, strlen(cell)) : split(cell);
	case CELL_INT:
		json = json_parse(cell, strlen(cell));
		if (json_get_int(json, &n))
			return json;
		cJSON_Delete(json);
		return NULL;
	case CELL_JSON:
		return json_parse(cell, strlen(cell));
	}
	return NULL;
}

int cells_take(const struct body_schema *s, cJSON *record, const char *name, const char *cell)
{
	struct wanted w = { .name = name };
	cJSON *value;

	if (!*cell)
		return 0;
	each_field(s, find, &w);
	value = w.found ? make_value(w.kind, csv_unguard(cell)) : NULL;
	if (!value)
		return -EINVAL;
	cJSON_AddItemToObject(record, name, value);
	return 0;
}

/* ---- to cells ---- */

struct line {
	const cJSON *record;
	struct buf *out;
	bool is_begun;
};

static void add_separator(struct line *l)
{
	if (l->is_begun)
		buf_append_byte(l->out, ',');
	l->is_begun = true;
}

static void add_name(void *arg, const char *name, enum cell_kind kind)
{
	struct line *l = arg;

	(void)kind;
	add_separator(l);
	csv_append(l->out, name);
}

static bool can_be_joined(const cJSON *array)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, array) {
		if (!cJSON_IsString(item) || !item->valuestring[0] || item->valuestring[0] == '[' ||
			strchr(item->valuestring, ';'))
			return false;
	}
	return cJSON_GetArraySize(array) > 0;
}

static void add_joined(struct buf *out, const cJSON *array)
{
	struct buf text;
	const cJSON *item;

	buf_init(&text, 0);
	cJSON_ArrayForEach (item, array)
		buf_printf(&text, "%s%s", item == array->child ? "" : ";", item->valuestring);
	buf_append_byte(&text, '\0');
	csv_append(out, text.failed ? "" : (char *)text.data);
	if (text.failed)
		out->failed = text.failed;
	buf_fini(&text);
}

static void add_json(struct buf *out, const cJSON *item)
{
	char *text = json_format(item);

	csv_append(out, text ? text : "");
	if (!text)
		out->failed = -ENOMEM;
	free(text);
}

static void add_cell(void *arg, const char *name, enum cell_kind kind)
{
	struct line *l = arg;
	const cJSON *item = json_get(l->record, name);

	add_separator(l);
	if (!item)
		return;
	if (cJSON_IsString(item) && kind == CELL_TEXT)
		csv_append(l->out, item->valuestring);
	else if (kind == CELL_TEXTS && cJSON_IsArray(item) && can_be_joined(item))
		add_joined(l->out, item);
	else
		add_json(l->out, item);
}

void cells_append_head(const struct body_schema *s, struct buf *out)
{
	struct line l = { .out = out };

	each_field(s, add_name, &l);
	buf_append_str(out, "\r\n");
}

void cells_append(const struct body_schema *s, const cJSON *record, struct buf *out)
{
	struct line l = { record, out, false };

	each_field(s, add_cell, &l);
	buf_append_str(out, "\r\n");
}
