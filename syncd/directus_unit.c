/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_unit.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP_MS 1100 /* what a stamp in whole seconds resolves, and a margin */

static void free_record(void *value)
{
	cJSON_Delete(value);
}

struct directus_unit *directus_unit_new(const char *id)
{
	struct directus_unit *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	snprintf(u->id, sizeof(u->id), "%s", id);
	hmap_init(&u->records, free_record);
	buf_init(&u->text, 0);
	for (unsigned i = 0; i < UNIT_PARTS; i++) {
		directus_rows_init(&u->rows_now[i]);
		directus_rows_init(&u->rows_held[i]);
	}
	return u;
}

void directus_unit_free(struct directus_unit *u)
{
	hmap_fini(&u->records);
	buf_fini(&u->text);
	for (unsigned i = 0; i < UNIT_PARTS; i++)
		directus_rows_fini(&u->rows_now[i]);
	directus_unit_release(u);
	free(u);
}

void directus_unit_reset(struct directus_unit *u, size_t text_max)
{
	hmap_clear(&u->records);
	buf_fini(&u->text);
	buf_init(&u->text, text_max);
	u->next_skipped = 0;
	u->rows = 0;
	for (unsigned i = 0; i < UNIT_PARTS; i++)
		directus_rows_fini(&u->rows_now[i]);
	/* An empty list is a text with a line (SPEC S4: one without was cut off). */
	if (u->is_list)
		buf_append_str(&u->text, "# from Directus\n");
}

void directus_unit_hold(struct directus_unit *u)
{
	directus_unit_release(u);
	memcpy(u->rows_held, u->rows_now, sizeof(u->rows_held));
	for (unsigned i = 0; i < UNIT_PARTS; i++)
		directus_rows_init(&u->rows_now[i]);
	u->is_held = true;
}

void directus_unit_release(struct directus_unit *u)
{
	for (unsigned i = 0; i < UNIT_PARTS; i++)
		directus_rows_fini(&u->rows_held[i]);
	u->is_held = false;
}

static int add_record(struct directus_unit *u, const struct mapping *m, enum mapping_part part,
	const cJSON *row, directus_on_record on_record, void *arg, char *why, size_t why_len)
{
	char id[132];
	cJSON *record;
	int err;

	if (u->topic == TOPIC_device_prefs)
		return mapping_add_pref(m, part, row, &u->records, why, why_len);
	err = mapping_make(m, part, row, id, &record, why, why_len);
	if (err)
		return err;
	on_record(arg, part, id, record);
	err = hmap_set_str(&u->records, id, record);
	if (err)
		cJSON_Delete(record);
	return err;
}

/* Rows of the second collection of one topic: their keys may be the first one's, too. */
static int add_further(struct directus_unit *u, const struct mapping *m, unsigned part,
	const cJSON *row, char *why, size_t why_len)
{
	char id[132], full[132];
	cJSON *record;
	int err;

	err = mapping_make(m, u->parts[part], row, id, &record, why, why_len);
	if (err)
		return err;
	snprintf(full, sizeof(full), "%u.%.60s", part + 1, id);
	cJSON_ReplaceItemInObjectCaseSensitive(record, "id", cJSON_CreateString(full));
	err = hmap_set_str(&u->records, full, record);
	if (err)
		cJSON_Delete(record);
	return err;
}

static int add_row(struct directus_unit *u, const struct mapping *m, unsigned part,
	const cJSON *row, directus_on_record on_record, void *arg)
{
	char why[160] = "";
	int err;

	if (part && u->topic != TOPIC_device_prefs)
		err = add_further(u, m, part, row, why, sizeof(why));
	else
		err = add_record(u, m, u->parts[part], row, on_record, arg, why, sizeof(why));
	if (err == -EINVAL && !u->next_skipped++)
		log_warning("row of Directus left out collection=%s reason=\"%s\"",
			u->collections[part], why);
	return err;
}

int directus_unit_add(struct directus_unit *u, const struct mapping *m, unsigned part,
	const cJSON *row, directus_on_record on_record, void *arg)
{
	struct mapping own = *m;
	size_t len = u->text.len;
	bool is_used;
	int err;

	if (*u->fields[part])
		own.columns[u->parts[part]][0] = u->fields[part];
	u->rows++;
	u->rows_now[part].seen++;
	u->rows_now[part].columns |= mapping_present(&own, u->parts[part], row);
	if (u->is_list)
		err = mapping_add_entries(&own, u->parts[part], row, &u->text);
	else
		err = add_row(u, &own, part, row, on_record, arg);
	is_used = !err && (!u->is_list || u->text.len > len);
	if (is_used)
		err = directus_rows_add(&u->rows_now[part], row);
	return err == -EINVAL ? 0 : err;
}

/* Some databases' counts come as text. */
static int64_t count_of(const cJSON *data)
{
	const cJSON *count = json_get(cJSON_GetArrayItem(data, 0), "count");
	const char *text = cJSON_GetStringValue(count);
	int64_t n;

	if (json_get_int(count, &n))
		return n;
	return text && *text >= '0' && *text <= '9' ? strtoll(text, NULL, 10) : -1;
}

bool directus_unit_take_stamp(struct directus_unit *u, unsigned part, const cJSON *data)
{
	char *text = data ? json_format(data) : NULL;
	bool good = text && strlen(text) < sizeof(u->next_stamps[part]);

	snprintf(u->next_stamps[part], sizeof(u->next_stamps[part]), "%s", good ? text : "");
	free(text);
	u->counts[part] = count_of(data);
	return good;
}

bool directus_unit_lacks(const struct directus_unit *u, unsigned part, uint64_t rows)
{
	return u->counts[part] > 0 && rows < (uint64_t)u->counts[part];
}

static bool is_coarse(const char *stamp)
{
	const char *updated = strstr(stamp, "\"date_updated\":\"");
	const char *point = updated ? strchr(updated, '.') : NULL;

	/* Rows that are only added and removed change the count or the highest key. */
	return updated && (!point || !strncmp(point, ".000", 4));
}

void directus_unit_begin(struct directus_unit *u)
{
	u->begun_at = clock_mono_ms();
	if (memcmp(u->stamps, u->next_stamps, sizeof(u->stamps)) != 0) {
		memcpy(u->stamps, u->next_stamps, sizeof(u->stamps));
		u->stamp_at = u->begun_at;
	}
	/* Broken off it begins anew. */
	u->unsettled = true;
}

void directus_unit_settle(struct directus_unit *u)
{
	u->unsettled = false;
	for (unsigned i = 0; i < u->part_count; i++)
		u->unsettled |= u->begun_at < u->stamp_at + STAMP_MS && is_coarse(u->stamps[i]);
	u->known = true;
}

bool directus_unit_is_changed(const struct directus_unit *u)
{
	for (unsigned i = 0; i < u->part_count; i++) {
		/* Without a stamp nothing is known. */
		if (*u->collections[i] &&
			(!*u->next_stamps[i] || strcmp(u->next_stamps[i], u->stamps[i]) != 0))
			return true;
	}
	return !u->known || u->unsettled || *u->error;
}
