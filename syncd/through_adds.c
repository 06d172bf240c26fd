/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/through_adds.h"
#include "common/json.h"
#include "common/log.h"
#include "syncd/json_file.h"
#include "syncd/through_name.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (64u << 20)

static void free_add(void *value)
{
	struct through_add *add = value;

	free(add->collection);
	cJSON_Delete(add->row);
	free(add);
}

static struct through_add *find(
	const struct through_adds *a, enum mapping_part part, const char *id)
{
	char name[THROUGH_NAME_LEN];

	through_name_format(name, part, id);
	return hmap_find_str(&a->by_id, name);
}

/* Takes over row. */
static int set(struct through_adds *a, enum mapping_part part, const char *id,
	const char *collection, cJSON *row)
{
	struct through_add *add = calloc(1, sizeof(*add));
	char name[THROUGH_NAME_LEN];
	int err = -ENOMEM;

	if (!add) {
		cJSON_Delete(row);
		return err;
	}
	add->part = part;
	snprintf(add->id, sizeof(add->id), "%s", id);
	add->collection = strdup(collection);
	add->row = row;
	through_name_format(name, part, id);
	if (add->collection && row)
		err = hmap_set_str(&a->by_id, name, add);
	if (err)
		free_add(add);
	return err;
}

/* ---- the file ---- */

static int take_add(struct through_adds *a, const cJSON *one)
{
	const char *part = cJSON_GetStringValue(json_get(one, "part"));
	const char *id = cJSON_GetStringValue(json_get(one, "id"));
	const char *collection = cJSON_GetStringValue(json_get(one, "collection"));
	const cJSON *row = json_get(one, "row");

	if (!part || !id || strlen(id) >= sizeof(((struct through_add *)0)->id) || !collection ||
		!cJSON_IsObject(row))
		return 0;
	for (int p = 0; p < PARTS; p++) {
		if (!strcmp(mapping_part_name((enum mapping_part)p), part))
			return set(a, (enum mapping_part)p, id, collection,
				cJSON_Duplicate(row, true));
	}
	return 0;
}

int through_adds_open(struct through_adds *a, const char *state_dir)
{
	cJSON *json;
	const cJSON *one;
	int err = 0, read_err;

	*a = (struct through_adds){ 0 };
	hmap_init(&a->by_id, free_add);
	if (asprintf(&a->path, "%s/directus-adds.json", state_dir) < 0) {
		a->path = NULL;
		return -ENOMEM;
	}
	read_err = json_file_read(a->path, FILE_MAX, &json);
	if (read_err && read_err != -ENOENT)
		log_error(
			"what was being added to Directus is not known any more file=%s", a->path);
	cJSON_ArrayForEach (one, json) {
		if (!err)
			err = take_add(a, one);
	}
	cJSON_Delete(json);
	return err;
}

void through_adds_fini(struct through_adds *a)
{
	hmap_fini(&a->by_id);
	free(a->path);
}

static cJSON *encode(const struct through_add *add)
{
	cJSON *one = cJSON_CreateObject();
	bool whole = json_add(one, "part", cJSON_CreateString(mapping_part_name(add->part))) &&
		     json_add(one, "id", cJSON_CreateString(add->id)) &&
		     json_add(one, "collection", cJSON_CreateString(add->collection)) &&
		     json_add(one, "row", cJSON_Duplicate(add->row, true));

	return json_whole(one, whole);
}

static int write_file(struct through_adds *a)
{
	cJSON *json = cJSON_CreateArray();
	bool whole = json;
	int err;

	hmap_foreach (&a->by_id, it)
		whole = whole && json_push(json, encode(it.value));
	err = whole ? json_file_write(a->path, json) : -ENOMEM;
	cJSON_Delete(json);
	a->is_changed = err != 0;
	return err;
}

/* ---- what is being added ---- */

int through_adds_note(struct through_adds *a, enum mapping_part part, const char *id,
	const char *collection, const cJSON *row)
{
	int err = set(a, part, id, collection, cJSON_Duplicate(row, true));

	return err ? err : write_file(a);
}

const cJSON *through_adds_find(const struct through_adds *a, enum mapping_part part, const char *id,
	const char *collection)
{
	const struct through_add *add = find(a, part, id);

	return add && !add->is_linked && !strcmp(add->collection, collection) ? add->row : NULL;
}

void through_adds_link(struct through_adds *a, enum mapping_part part, const char *id)
{
	struct through_add *add = find(a, part, id);

	if (add)
		add->is_linked = true;
}

void through_adds_remove(struct through_adds *a, enum mapping_part part, const char *id)
{
	char name[THROUGH_NAME_LEN];

	through_name_format(name, part, id);
	if (hmap_remove_str(&a->by_id, name))
		a->is_changed = true;
}

int through_adds_save(struct through_adds *a)
{
	int err = 0;

	hmap_foreach (&a->by_id, it) {
		const struct through_add *add = it.value;

		if (add->is_linked && hmap_remove_str(&a->by_id, it.key))
			a->is_changed = true;
	}
	if (a->is_changed)
		err = write_file(a);
	if (err)
		log_error("what was added to Directus stays noted file=%s error=%s", a->path,
			strerror(-err));
	return err;
}
