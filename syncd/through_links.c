/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/through_links.h"
#include "common/json.h"
#include "common/log.h"
#include "syncd/json_file.h"
#include "syncd/through_name.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (256u << 20)

struct through_link *through_links_find(
	const struct through_links *l, enum mapping_part part, const char *id)
{
	char name[THROUGH_NAME_LEN];

	through_name_format(name, part, id);
	return hmap_find_str(&l->by_id, name);
}

struct through_link *through_links_find_key(
	const struct through_links *l, enum mapping_part part, const char *key)
{
	char name[THROUGH_NAME_LEN];

	through_name_format(name, part, key);
	return hmap_find_str(&l->by_key, name);
}

static void forget_key(struct through_links *l, const struct through_link *link)
{
	char name[THROUGH_NAME_LEN];

	through_name_format(name, link->part, link->key);
	if (*link->key && hmap_find_str(&l->by_key, name) == link)
		hmap_remove_str(&l->by_key, name);
}

static int set_key(struct through_links *l, struct through_link *link, const char *key)
{
	char name[THROUGH_NAME_LEN];

	if (!strcmp(link->key, key))
		return 0;
	forget_key(l, link);
	snprintf(link->key, sizeof(link->key), "%s", key);
	through_name_format(name, link->part, key);
	return *key ? hmap_set_str(&l->by_key, name, link) : 0;
}

static struct through_link *add(struct through_links *l, enum mapping_part part, const char *id)
{
	struct through_link *link = calloc(1, sizeof(*link));
	char name[THROUGH_NAME_LEN];

	if (!link)
		return NULL;
	link->part = part;
	snprintf(link->id, sizeof(link->id), "%s", id);
	through_name_format(name, part, id);
	if (!hmap_set_str(&l->by_id, name, link))
		return link;
	free(link);
	return NULL;
}

struct through_link *through_links_set(struct through_links *l, enum mapping_part part,
	const char *id, const char *key, uint64_t hash)
{
	struct through_link *link = through_links_find(l, part, id);

	if (!link)
		link = add(l, part, id);
	if (!link || (key && set_key(l, link, key)))
		return NULL;
	link->hash = hash;
	l->is_changed = true;
	return link;
}

void through_links_remove(struct through_links *l, struct through_link *link)
{
	char name[THROUGH_NAME_LEN];

	forget_key(l, link);
	through_name_format(name, link->part, link->id);
	l->is_changed = true;
	hmap_remove_str(&l->by_id, name);
}

/* ---- the file ---- */

static enum mapping_part part_of(const char *name)
{
	int p = 0;

	while (p < PARTS && strcmp(mapping_part_name((enum mapping_part)p), name) != 0)
		p++;
	return (enum mapping_part)p;
}

static void take_link(struct through_links *l, enum mapping_part part, const cJSON *one)
{
	const char *key = cJSON_GetStringValue(json_get(one, "key"));
	const char *hash = cJSON_GetStringValue(json_get(one, "hash"));

	if (hash && strlen(one->string) < sizeof(((struct through_link *)0)->id) &&
		(!key || strlen(key) < sizeof(((struct through_link *)0)->key)))
		through_links_set(l, part, one->string, key, strtoull(hash, NULL, 16));
}

static void take_file(struct through_links *l, const cJSON *json)
{
	const cJSON *topic, *one;

	cJSON_ArrayForEach (topic, json) {
		enum mapping_part part = part_of(topic->string);

		if (part == PARTS)
			continue;
		l->known[part] = true;
		cJSON_ArrayForEach (one, topic)
			take_link(l, part, one);
	}
	l->is_changed = false;
}

int through_links_open(struct through_links *l, const char *state_dir)
{
	cJSON *json;
	int err;

	*l = (struct through_links){ 0 };
	hmap_init(&l->by_id, free);
	hmap_init(&l->by_key, NULL);
	if (asprintf(&l->path, "%s/directus-links.json", state_dir) < 0) {
		l->path = NULL;
		return -ENOMEM;
	}
	err = json_file_read(l->path, FILE_MAX, &json);
	if (!err)
		take_file(l, json);
	else if (err != -ENOENT)
		log_error("what was written to Directus is not known any more file=%s", l->path);
	cJSON_Delete(json);
	return 0;
}

int through_links_save(struct through_links *l)
{
	cJSON *json, *parts[PARTS] = { 0 }, *one;
	char hash[24];
	int err;

	if (!l->is_changed)
		return 0;
	json = cJSON_CreateObject();
	for (int p = 0; p < PARTS; p++) {
		if (l->known[p])
			parts[p] = cJSON_AddObjectToObject(
				json, mapping_part_name((enum mapping_part)p));
	}
	hmap_foreach (&l->by_id, it) {
		const struct through_link *link = it.value;

		one = cJSON_AddObjectToObject(parts[link->part], link->id);
		snprintf(hash, sizeof(hash), "%016" PRIx64, link->hash);
		cJSON_AddStringToObject(one, "hash", hash);
		if (*link->key)
			cJSON_AddStringToObject(one, "key", link->key);
	}
	err = json_file_write(l->path, json);
	cJSON_Delete(json);
	l->is_changed = err != 0;
	if (err)
		log_error("what was written to Directus cannot be kept file=%s error=%s", l->path,
			strerror(-err));
	return err;
}

void through_links_fini(struct through_links *l)
{
	hmap_fini(&l->by_key);
	hmap_fini(&l->by_id);
	free(l->path);
}
