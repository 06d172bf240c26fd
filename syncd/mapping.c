/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "syncd/mapping_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const cJSON *mapping_column(
	const struct mapping *m, enum mapping_part part, int field, const cJSON *row)
{
	const cJSON *value = json_get(row, m->columns[part][field]);

	return cJSON_IsNull(value) ? NULL : value;
}

unsigned mapping_present(const struct mapping *m, enum mapping_part part, const cJSON *row)
{
	unsigned present = 0;

	for (int f = 0; f < MAPPING_FIELDS && mapping_table[part].fields[f].name; f++) {
		if (json_get(row, m->columns[part][f]))
			present |= 1u << f;
	}
	return present;
}

/* ---- records ---- */

static int add_fields(const struct mapping *m, enum mapping_part part, const cJSON *row,
	cJSON *record, char *why, size_t why_len)
{
	for (int f = 0; f < MAPPING_FIELDS && mapping_table[part].fields[f].name; f++) {
		const struct mapping_field *field = &mapping_table[part].fields[f];
		const cJSON *value = mapping_column(m, part, f, row);
		cJSON *one = value ? mapping_convert(field->form, value) : NULL;

		if (!one && field->needed) {
			snprintf(why, why_len, "without %s", m->columns[part][f]);
			return -EINVAL;
		}
		if (one)
			cJSON_AddItemToObject(record, field->name, one);
	}
	return 0;
}

/* Would a consumer take it? */
static int check_record(enum mapping_part part, const cJSON *record, char *why, size_t why_len)
{
	union {
		struct rec_category category;
		struct rec_website website;
		struct rec_word word;
		struct rec_search_word search_word;
		struct rec_category_pref category_pref;
		struct rec_site_override site_override;
		struct rec_domain_entry domain_entry;
	} any;
	enum rec_type type = bus_topic_record((enum bus_topic)mapping_table[part].topic);
	char text[128];
	int err = codec_decode(type, CODEC_LENIENT, record, &any, text, sizeof(text));

	if (err)
		snprintf(why, why_len, "%s", text);
	else
		rec_fini(type, &any);
	return err;
}

int mapping_make(const struct mapping *m, enum mapping_part part, const cJSON *row,
	char id[static 132], cJSON **out, char *why, size_t why_len)
{
	char *key = mapping_take_text(json_get(row, "id"), false);
	cJSON *record = cJSON_CreateObject();
	int err = -EINVAL;

	if (!key || strlen(key) > 64)
		snprintf(why, why_len, "without id");
	else if (record && cJSON_AddStringToObject(record, "id", key))
		err = add_fields(m, part, row, record, why, why_len);
	if (!err)
		err = check_record(part, record, why, why_len);
	if (!err)
		snprintf(id, 132, "%s", key);
	free(key);
	if (err)
		cJSON_Delete(record);
	else
		*out = record;
	return err;
}

/* ---- lists ---- */

static int add_entry(struct buf *text, const cJSON *value)
{
	const char *entry = cJSON_GetStringValue(value);
	int err;

	if (!entry || !*entry)
		return 0;
	err = buf_append(text, entry, strlen(entry));
	return err ? err : buf_append_byte(text, '\n');
}

static int add_array(struct buf *text, const cJSON *array)
{
	const cJSON *it;
	int err = 0;

	cJSON_ArrayForEach (it, array) {
		if (!err)
			err = add_entry(text, it);
	}
	return err;
}

/* Databases without JSON give an array as its text, where the field is not said to be JSON. */
static int add_value(struct buf *text, const cJSON *value)
{
	const char *string = cJSON_GetStringValue(value);
	cJSON *array = string && *string == '[' ? json_parse(string, strlen(string)) : NULL;
	int err;

	if (cJSON_IsArray(value) || cJSON_IsArray(array))
		err = add_array(text, array ? array : value);
	else
		err = add_entry(text, value);
	cJSON_Delete(array);
	return err;
}

int mapping_add_entries(
	const struct mapping *m, enum mapping_part part, const cJSON *row, struct buf *text)
{
	int err = 0;

	for (int f = 0; f < MAPPING_FIELDS && mapping_table[part].fields[f].name && !err; f++)
		err = add_value(text, mapping_column(m, part, f, row));
	return err;
}
