/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/through_item.h"
#include "common/json.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mapping_part through_part_of(enum bus_topic topic)
{
	enum bus_topic of;
	int p = 0;

	while (p < PARTS && !(mapping_topic((enum mapping_part)p, &of) && of == topic))
		p++;
	return (enum mapping_part)p;
}

static cJSON *find_record(const struct through *t, enum bus_topic topic, const char *id)
{
	const char *text = bus_topic_find(t->bus, topic, BUS_APID, id);

	return text ? json_parse(text, strlen(text)) : NULL;
}

/* The same in every run. */
static uint64_t hash_of(const cJSON *row)
{
	static const uint8_t key[16] = "culvert-directus";
	char *text = json_format(row);
	uint64_t hash = text ? siphash13(key, text, strlen(text)) : 0;

	free(text);
	return hash ? hash : 1;
}

static cJSON *make_switches(const cJSON *pref, const char *device)
{
	static const char *const names[] = { "offline_browser", "offline_vpn" };
	cJSON *record = cJSON_CreateObject();

	cJSON_AddStringToObject(record, "device", device);
	for (size_t i = 0; i < 2; i++) {
		const cJSON *value = json_get(pref, names[i]);

		/* What is not understood is on. */
		cJSON_AddBoolToObject(record, names[i], value && !cJSON_IsFalse(value));
	}
	return record;
}

static bool is_off(const cJSON *pref, const char *list)
{
	const cJSON *it;

	cJSON_ArrayForEach (it, json_get(pref, "lists_off")) {
		if (cJSON_IsString(it) && !strcmp(it->valuestring, list))
			return true;
	}
	return false;
}

/* Absent rows are written as what they mean when they are not there. */
static int make_pref(const struct through *t, struct through_item *item)
{
	char id[140], device[132];
	const char *list = NULL;
	char *slash;
	cJSON *pref, *record;
	bool is_set;

	snprintf(device, sizeof(device), "%s", item->id);
	slash = strchr(device, '/');
	if (slash)
		*slash = 0;
	list = slash ? slash + 1 : "";
	snprintf(id, sizeof(id), "device:%s", device);
	pref = find_record(t, TOPIC_device_prefs, id);
	if (item->part == PART_SWITCHES) {
		record = make_switches(pref, device);
		is_set = cJSON_IsTrue(json_get(record, "offline_browser")) ||
			 cJSON_IsTrue(json_get(record, "offline_vpn"));
	} else {
		is_set = is_off(pref, list);
		record = cJSON_CreateObject();
		cJSON_AddStringToObject(record, "device", device);
		cJSON_AddStringToObject(record, "list", list);
		cJSON_AddBoolToObject(record, "enabled", !is_set);
	}
	item->row = mapping_format_row(t->mapping, item->part, record);
	item->hash = is_set && item->row ? hash_of(item->row) : 0;
	cJSON_Delete(record);
	cJSON_Delete(pref);
	return item->row ? 0 : -ENOMEM;
}

/* The category as Directus knows it. */
static int resolve_category(const struct through *t, cJSON *record, char needs[static 132])
{
	const char *id = cJSON_GetStringValue(json_get(record, "category"));
	const struct through_link *link =
		id ? through_links_find(&t->links, PART_CATEGORIES, id) : NULL;

	if (!id)
		return 0;
	if (link && *link->key) {
		cJSON *key = cJSON_CreateString(link->key);

		return key && cJSON_ReplaceItemInObjectCaseSensitive(record, "category", key)
			       ? 0
			       : -ENOMEM;
	}
	/* One that only apid has. */
	if (!bus_topic_find(t->bus, TOPIC_categories, BUS_APID, id))
		return 0;
	snprintf(needs, 132, "%s", id);
	return -EAGAIN;
}

int through_item_make(const struct through *t, struct through_item *item, char needs[static 132])
{
	enum bus_topic topic;
	cJSON *record;
	int err = 0;

	cJSON_Delete(item->row);
	item->row = NULL;
	item->hash = 0;
	if (!mapping_topic(item->part, &topic))
		return make_pref(t, item);
	record = find_record(t, topic, item->id);
	if (!record)
		return 0;
	if (item->part == PART_WEBSITES || item->part == PART_CATEGORY_PREFS)
		err = resolve_category(t, record, needs);
	if (!err)
		item->row = mapping_format_row(t->mapping, item->part, record);
	if (item->row)
		item->hash = hash_of(item->row);
	cJSON_Delete(record);
	return err;
}
