/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_brake.h"
#include "common/log.h"
#include "syncd/directus_impl.h"
#include "syncd/json_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (16u << 20)

/* ---- what the last good readings had ---- */

static void format_name(const struct directus_unit *u, unsigned part, char out[static 400])
{
	snprintf(out, 400, "%s/%s/%s", u->id, u->collections[part], u->fields[part]);
}

/* False: nothing is known. The caller frees. */
static bool find_good(const struct directus *d, const struct directus_unit *u, unsigned part,
	struct directus_rows *out)
{
	char name[400];

	format_name(u, part, name);
	return !directus_rows_parse(json_get(d->rows, name), out);
}

static int set_part(struct directus *d, const struct directus_unit *u, unsigned part,
	const struct directus_rows *rows)
{
	cJSON *json = directus_rows_format(rows);
	char name[400];

	if (!json)
		return -ENOMEM;
	format_name(u, part, name);
	if (cJSON_Compare(json, json_get(d->rows, name), true)) {
		cJSON_Delete(json);
		return 0;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(d->rows, name);
	cJSON_AddItemToObject(d->rows, name, json);
	d->rows_changed = true;
	return 0;
}

static int set_good(struct directus *d, const struct directus_unit *u,
	const struct directus_rows rows[static UNIT_PARTS])
{
	int err = 0;

	for (unsigned i = 0; i < u->part_count && !err; i++) {
		if (*u->collections[i])
			err = set_part(d, u, i, &rows[i]);
	}
	return err;
}

void directus_brake_forget(struct directus *d, const struct directus_unit *u)
{
	char name[400];

	for (unsigned i = 0; i < u->part_count; i++) {
		format_name(u, i, name);
		cJSON_DeleteItemFromObjectCaseSensitive(d->rows, name);
	}
	d->rows_changed = true;
}

void directus_brake_removed(struct directus *d, const char *collection, const char *key)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct directus_unit *u = d->units[i];

		for (unsigned p = 0; p < u->part_count; p++) {
			struct directus_rows rows;

			if (strcmp(u->collections[p], collection) != 0 ||
				!find_good(d, u, p, &rows))
				continue;
			directus_rows_remove(&rows, key);
			set_part(d, u, p, &rows);
			directus_rows_fini(&rows);
		}
	}
}

void directus_brake_save(struct directus *d)
{
	int err;

	if (!d->rows_changed)
		return;
	err = json_file_write(d->rows_path, d->rows);
	d->rows_changed = err != 0;
	if (err && err != d->rows_err)
		log_error("which rows Directus has cannot be kept file=%s error=%s", d->rows_path,
			strerror(-err));
	d->rows_err = err;
}

int directus_brake_open(struct directus *d, const char *state_dir)
{
	int err;

	if (asprintf(&d->rows_path, "%s/directus-rows.json", state_dir) < 0) {
		d->rows_path = NULL;
		return -ENOMEM;
	}
	err = json_file_read(d->rows_path, FILE_MAX, &d->rows);
	if (!cJSON_IsObject(d->rows)) {
		if (err != -ENOENT)
			log_error("which rows Directus had is not known any more file=%s",
				d->rows_path);
		cJSON_Delete(d->rows);
		d->rows = cJSON_CreateObject();
	}
	return d->rows ? 0 : -ENOMEM;
}

void directus_brake_fini(struct directus *d)
{
	cJSON_Delete(d->rows);
	free(d->rows_path);
	d->rows = NULL;
	d->rows_path = NULL;
}

/* ---- is too much missing? ---- */

static const char *column_name(
	const struct directus *d, const struct directus_unit *u, unsigned part, unsigned columns)
{
	int f = __builtin_ctz(columns);

	return *u->fields[part] ? u->fields[part] : d->conf.mapping.columns[u->parts[part]][f];
}

/* Judges one part; true: too much is missing, and why says it. */
static bool lacks(const struct directus *d, const struct directus_unit *u, unsigned part,
	struct directus_lack *out)
{
	const struct directus_rows *now = &u->rows_now[part];
	struct directus_rows before;
	uint64_t removed;
	unsigned columns;
	bool many;

	if (!*u->collections[part] || !find_good(d, u, part, &before))
		return false;
	removed = directus_rows_removed(&before, now);
	many = removed > d->conf.removal_rows &&
	       removed * 100 > before.count * d->conf.removal_limit;
	columns = now->seen ? before.columns & ~now->columns : 0;
	if (many)
		snprintf(out->why, sizeof(out->why), "%lu of %lu rows are", removed, before.count);
	else if (columns)
		snprintf(out->why, sizeof(out->why), "the column %.60s is",
			column_name(d, u, part, columns));
	out->part = part;
	out->is_column = columns != 0;
	directus_rows_fini(&before);
	return many || columns;
}

/* ---- may the token see all? ---- */

static bool sees_all(const cJSON *rights, const struct directus_unit *u, bool is_column)
{
	for (unsigned i = 0; i < u->part_count; i++) {
		const cJSON *read = json_get(json_get(rights, u->collections[i]), "read"), *field;
		const char *access = cJSON_GetStringValue(json_get(read, "access"));
		bool all = false;

		if (!*u->collections[i])
			continue;
		if (!access || strcmp(access, "full") != 0)
			return false;
		cJSON_ArrayForEach (field, json_get(read, "fields"))
			all |= cJSON_IsString(field) && !strcmp(field->valuestring, "*");
		if (is_column && !all)
			return false;
	}
	return true;
}

static void release(struct directus *d, struct directus_unit *u)
{
	bool was_held = u->is_held;

	directus_unit_release(u);
	if (was_held)
		d->ops->on_held(d->arg);
}

static void take(struct directus *d, struct directus_unit *u)
{
	struct directus_answer a = { .text = "out of memory" };

	release(d, u);
	if (set_good(d, u, u->rows_now))
		directus_round_abort(d, &a);
	else
		directus_round_publish(d);
}

static void hold(struct directus *d, struct directus_unit *u)
{
	bool was_held = u->is_held;
	char why[192];

	d->part = u->lack.part;
	directus_unit_hold(u);
	if (!was_held)
		d->ops->on_held(d->arg);
	snprintf(why, sizeof(why),
		"%.100s gone, or hidden from the token; they stay until it is confirmed",
		u->lack.why);
	if (strcmp(u->error, why) != 0)
		log_warning("much of a collection of Directus is missing id=%s what=\"%s\"", u->id,
			u->lack.why);
	directus_round_skip(d, why);
}

static void on_rights(void *arg, struct directus_answer *a)
{
	struct directus *d = arg;
	struct directus_unit *u = d->units[d->at];

	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN &&
		a->outcome != DIRECTUS_REFUSED) {
		directus_unit_reset(u, d->conf.text_max);
		directus_round_abort(d, a);
		return;
	}
	if (!sees_all(directus_answer_data(a), u, u->lack.is_column)) {
		hold(d, u);
	} else if (u->is_proved) {
		log_notice("much of a collection of Directus is gone id=%s what=\"%s\"", u->id,
			u->lack.why);
		take(d, u);
	} else {
		/* The right may have come after the rows. */
		u->is_proved = true;
		directus_round_reread(d);
	}
}

void directus_brake_judge(struct directus *d)
{
	struct directus_answer a = { .text = "out of memory" };
	struct directus_unit *u = d->units[d->at];
	bool lacking = false;

	for (unsigned i = 0; i < u->part_count; i++)
		directus_rows_finish(&u->rows_now[i]);
	for (unsigned i = 0; i < u->part_count && !lacking; i++)
		lacking = lacks(d, u, i, &u->lack);
	if (!lacking)
		take(d, u);
	else if (directus_ask(&d->client, "GET", "/permissions/me", NULL, on_rights, d))
		directus_round_abort(d, &a);
}

/* ---- an administrator ---- */

bool directus_brake_confirm(struct directus *d, const char *id)
{
	struct directus_unit *u = directus_find_unit(d, id);

	if (!u || !u->is_held)
		return false;
	log_notice("what is missing of a collection of Directus is right, an administrator says "
		   "id=%s what=\"%s\"",
		u->id, u->lack.why);
	if (set_good(d, u, u->rows_held))
		return false;
	release(d, u);
	directus_brake_save(d);
	return true;
}
