/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "syncd/mapping_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What tells one row of a part from another, to people. */
static const char *const natural[PARTS][2] = {
	[PART_LIST_PREFS] = { "device", "list" },
	[PART_SWITCHES] = { "device" },
	[PART_CATEGORIES] = { "name" },
	[PART_WEBSITES] = { "pattern", "match" },
	[PART_WORDS] = { "term" },
	[PART_SEARCH_WORDS] = { "term" },
	[PART_CATEGORY_PREFS] = { "device", "category" },
	[PART_SITE_OVERRIDES] = { "device", "pattern" },
	[PART_SNI_BLOCK] = { "domain" },
	[PART_MITM_IGNORE] = { "domain" },
	[PART_IMAGE_IGNORE] = { "domain" },
};

cJSON *mapping_format_id(const char *id)
{
	char *end;
	long long n = strtoll(id, &end, 10);

	return *id >= '1' && *id <= '9' && !*end && strlen(id) < 16 ? cJSON_CreateNumber((double)n)
								    : cJSON_CreateString(id);
}

static cJSON *format_value(const struct mapping_field *field, const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);

	if (field->form == FORM_BLOCKED)
		return cJSON_CreateBool(text && !strcmp(text, "block"));
	if (text && !strcmp(field->name, "category"))
		return mapping_format_id(text);
	return cJSON_Duplicate(value, true);
}

/* What K's rows cannot say: for a group, for a while, by the clock. */
static bool has_more(const cJSON *record)
{
	return json_get(record, "group") || json_get(record, "until") ||
	       json_get(record, "schedule");
}

cJSON *mapping_format_row(const struct mapping *m, enum mapping_part part, const cJSON *record)
{
	cJSON *row = has_more(record) ? NULL : cJSON_CreateObject();

	for (int f = 0; row && f < MAPPING_FIELDS && mapping_table[part].fields[f].name; f++) {
		const struct mapping_field *field = &mapping_table[part].fields[f];
		const cJSON *value = json_get(record, field->name);

		if (!value && field->needed) {
			cJSON_Delete(row);
			row = NULL;
		} else {
			cJSON_AddItemToObject(row, m->columns[part][f],
				value ? format_value(field, value) : cJSON_CreateNull());
		}
	}
	return row;
}

static int append_encoded(struct buf *to, const char *text)
{
	int err = 0;

	for (; *text && !err; text++) {
		bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
			     (*text >= 'A' && *text <= 'Z') || *text == '-';

		err = buf_printf(to, plain ? "%c" : "%%%02X", (unsigned char)*text);
	}
	return err;
}

int mapping_format_filter(
	const struct mapping *m, enum mapping_part part, const cJSON *row, struct buf *to)
{
	int err = 0;

	for (int i = 0; i < 2 && natural[part][i] && !err; i++) {
		const char *column = mapping_column_name(m, part, natural[part][i]);
		const cJSON *value = json_get(row, column);
		char *text = mapping_take_text(value, false);

		if (!value)
			return -EINVAL;
		err = text ? buf_printf(to, "&filter[%s][_eq]=", column)
			   : buf_printf(to, "&filter[%s][_null]=true", column);
		if (!err && text)
			err = append_encoded(to, text);
		free(text);
	}
	return err;
}

void mapping_add_rest(enum mapping_part part, const cJSON *record, cJSON *to)
{
	const cJSON *it;

	cJSON_ArrayForEach (it, record) {
		bool is_mapped = !strcmp(it->string, "id");

		for (int f = 0; f < MAPPING_FIELDS && mapping_table[part].fields[f].name; f++)
			is_mapped |= !strcmp(it->string, mapping_table[part].fields[f].name);
		if (!is_mapped && !json_get(to, it->string))
			cJSON_AddItemToObject(to, it->string, cJSON_Duplicate(it, true));
	}
}
