/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "syncd/mapping_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members of a device's record; the second one until mapping_finish_prefs. */
#define LISTS_OFF "lists_off"
#define LISTS_ON  "lists_on"

static cJSON *pref_of(struct hmap *records, const char *device)
{
	char id[132];
	cJSON *record;

	snprintf(id, sizeof(id), "device:%s", device);
	record = hmap_find_str(records, id);
	if (record)
		return record;
	record = cJSON_CreateObject();
	if (!record || !cJSON_AddStringToObject(record, "id", id) ||
		hmap_set_str(records, id, record)) {
		cJSON_Delete(record);
		return NULL;
	}
	return record;
}

static cJSON *find_name(const cJSON *names, const char *name)
{
	cJSON *it;

	cJSON_ArrayForEach (it, names) {
		if (!strcmp(it->valuestring, name))
			return it;
	}
	return NULL;
}

static void add_name(cJSON *record, const char *member, const char *name)
{
	cJSON *names = cJSON_GetObjectItemCaseSensitive(record, member);

	if (!names)
		names = cJSON_AddArrayToObject(record, member);
	if (!find_name(names, name))
		cJSON_AddItemToArray(names, cJSON_CreateString(name));
}

/* Only what is surely off is off, and a row that says on counts more than any that say off. */
static void add_list(cJSON *record, const char *list, bool is_off)
{
	add_name(record, is_off ? LISTS_OFF : LISTS_ON, list);
}

/* What is neither true nor false switches off line. */
static void add_switch(cJSON *record, const char *name, const cJSON *value)
{
	if (value && mapping_take_bool(value) != 0 && !json_get(record, name))
		cJSON_AddTrueToObject(record, name);
}

int mapping_add_pref(const struct mapping *m, enum mapping_part part, const cJSON *row,
	struct hmap *records, char *why, size_t why_len)
{
	char *device = mapping_take_text(mapping_column(m, part, 0, row), false);
	char *list = part == PART_LIST_PREFS
			     ? mapping_take_text(mapping_column(m, part, 1, row), false)
			     : NULL;
	bool good = device && strlen(device) <= 64 && (part != PART_LIST_PREFS || list);
	cJSON *record = good ? pref_of(records, device) : NULL;

	if (!good)
		snprintf(why, why_len, "without %s", m->columns[part][device ? 1 : 0]);
	if (record && list)
		add_list(record, list, mapping_take_bool(mapping_column(m, part, 2, row)) == 0);
	if (record && part == PART_SWITCHES) {
		for (int f = 1; f <= 2; f++)
			add_switch(record, mapping_table[part].fields[f].name,
				mapping_column(m, part, f, row));
	}
	free(device);
	free(list);
	return !good ? -EINVAL : record ? 0 : -ENOMEM;
}

static void finish(cJSON *record)
{
	cJSON *off = cJSON_GetObjectItemCaseSensitive(record, LISTS_OFF);
	const cJSON *on;

	cJSON_ArrayForEach (on, json_get(record, LISTS_ON)) {
		cJSON *one = find_name(off, on->valuestring);

		if (one)
			cJSON_Delete(cJSON_DetachItemViaPointer(off, one));
	}
	cJSON_DeleteItemFromObjectCaseSensitive(record, LISTS_ON);
	if (off && !off->child)
		cJSON_DeleteItemFromObjectCaseSensitive(record, LISTS_OFF);
}

void mapping_finish_prefs(struct hmap *records)
{
	hmap_foreach (records, it)
		finish(it.value);
}
