/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_names.h"
#include "apid/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where ids stand. NAMED: a text like device:ID, or a schedule's `what`. */
enum { NAMED = -1 };
static const struct field {
	int table;
	const char *name;
	int of; /* table, or NAMED */
} fields[] = {
	{ TOPIC_devices, "group", TOPIC_groups },
	{ TOPIC_devices, "user", TABLE_users },
	{ TOPIC_devices, "profile", TOPIC_profiles },
	{ TOPIC_devices, "schedules", NAMED },
	{ TOPIC_groups, "profile", TOPIC_profiles },
	{ TOPIC_groups, "schedules", NAMED },
	{ TOPIC_settings, "profile", TOPIC_profiles },
	{ TOPIC_settings, "schedules", NAMED },
	{ TOPIC_websites, "category", TOPIC_categories },
	{ TOPIC_category_prefs, "category", TOPIC_categories },
	{ TOPIC_category_prefs, "device", TOPIC_devices },
	{ TOPIC_category_prefs, "group", TOPIC_groups },
	{ TOPIC_site_overrides, "device", TOPIC_devices },
	{ TOPIC_site_overrides, "group", TOPIC_groups },
	{ TOPIC_device_prefs, "id", NAMED },
	{ TOPIC_device_prefs, "lists_off", TOPIC_list_sources },
	{ TOPIC_dns_rules, "scope", NAMED },
};
static const struct kind {
	int table;
	const char *prefix, *gone;
} kinds[] = {
	{ TOPIC_devices, "device:", "device: is no device" },
	{ TOPIC_groups, "group:", "group: is no group" },
	{ TOPIC_categories, "category:", "category: is no category" },
	{ TOPIC_list_sources, "list:", "list: is no list" },
	{ TOPIC_profiles, NULL, "profile: is no profile" },
	{ TABLE_users, NULL, "user: is no user" },
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]), KINDS = sizeof(kinds) / sizeof(kinds[0]) };

void store_names_init(struct store_names *names)
{
	*names = (struct store_names){ 0 };
	hmap_init(&names->seen, NULL);
}

void store_names_fini(struct store_names *names)
{
	hmap_fini(&names->seen);
	free(names->v);
	*names = (struct store_names){ 0 };
}

static size_t add_look(struct db_batch *b, int table, const char *id)
{
	if (table == TOPIC_devices)
		return db_add(b, "SELECT 1 FROM devices WHERE id = ?", "s", id);
	return db_add(b, "SELECT 1 FROM records WHERE topic = ? AND id = ?", "ss",
		store_table_name(table), id);
}

static const char *gone_text(int table)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (kinds[i].table == table)
			return kinds[i].gone;
	}
	return "";
}

static int add(struct store_names *names, const struct store *s, struct db_batch *b, int table,
	const char *id)
{
	size_t cap = names->cap ? 2 * names->cap : 8;
	struct store_name *v;
	char key[384];

	snprintf(key, sizeof(key), "%d:%s", table, id);
	if (!table_find(store_table(s, table), id) || hmap_find_str(&names->seen, key))
		return 0;
	if (names->n == names->cap) {
		v = realloc(names->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		names->v = v;
		names->cap = cap;
	}
	names->v[names->n++] = (struct store_name){ gone_text(table), add_look(b, table, id) };
	return hmap_set_str(&names->seen, key, names);
}

static int add_named(
	struct store_names *names, const struct store *s, struct db_batch *b, const char *text)
{
	for (size_t i = 0; i < KINDS; i++) {
		size_t len = kinds[i].prefix ? strlen(kinds[i].prefix) : 0;

		if (len && !strncmp(text, kinds[i].prefix, len))
			return add(names, s, b, kinds[i].table, text + len);
	}
	return 0;
}

/* A text or a schedule. */
static int add_one(struct store_names *names, const struct store *s, struct db_batch *b, int of,
	const cJSON *item)
{
	const char *text =
		cJSON_GetStringValue(cJSON_IsObject(item) ? json_get(item, "what") : item);

	if (!text)
		return 0;
	return of == NAMED ? add_named(names, s, b, text) : add(names, s, b, of, text);
}

static int add_value(struct store_names *names, const struct store *s, struct db_batch *b, int of,
	const cJSON *value)
{
	const cJSON *item;
	int r = 0;

	if (!cJSON_IsArray(value))
		return add_one(names, s, b, of, value);
	cJSON_ArrayForEach (item, value) {
		if (!r)
			r = add_one(names, s, b, of, item);
	}
	return r;
}

static bool has_fields(int table)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (fields[i].table == table)
			return true;
	}
	return false;
}

int store_names_add(struct store_names *names, const struct store *s, struct db_batch *b, int table,
	const char *text)
{
	const cJSON *within;
	cJSON *record;
	int r = 0;

	if (!has_fields(table))
		return 0;
	record = json_parse(text, strlen(text));
	within = table == TOPIC_settings ? json_get(record, "value") : record;
	for (size_t i = 0; i < FIELDS && cJSON_IsObject(within) && !r; i++) {
		const cJSON *value = json_get(within, fields[i].name);

		if (fields[i].table == table && value)
			r = add_value(names, s, b, fields[i].of, value);
	}
	cJSON_Delete(record);
	return r;
}

const char *store_names_gone(const struct store_names *names, const struct db_batch *b)
{
	for (size_t i = 0; i < names->n; i++) {
		if (!db_batch_rows(b, names->v[i].statement)->n)
			return names->v[i].gone;
	}
	return NULL;
}
