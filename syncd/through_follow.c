/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "syncd/through_item.h"
#include <stdio.h>
#include <string.h>

/* ---- apid's topics ---- */

static int touch_pref(struct through *t, const char *id, const struct rec_device_pref *rec)
{
	const char *device = strncmp(id, "device:", 7) ? NULL : id + 7;
	size_t len = device ? strlen(device) : 0;
	char name[132];
	int err;

	if (!device)
		return 0;
	err = through_touch(t, PART_SWITCHES, device);
	for (size_t i = 0; rec && i < rec->lists_off.n && !err; i++) {
		snprintf(name, sizeof(name), "%s/%.64s", device, rec->lists_off.v[i]);
		err = through_touch(t, PART_LIST_PREFS, name);
	}
	hmap_foreach (&t->links.by_id, it) {
		const struct through_link *link = it.value;

		if (!err && link->part == PART_LIST_PREFS && !strncmp(link->id, device, len) &&
			link->id[len] == '/')
			err = through_touch(t, PART_LIST_PREFS, link->id);
	}
	return err;
}

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct through *t = arg;

	(void)owner;
	if (topic == TOPIC_device_prefs ? touch_pref(t, id, rec)
					: through_touch(t, through_part_of(topic), id))
		bus_record_lost(t->bus);
}

/* What was there before we looked for the first time has not been changed. */
static void take_as_known(struct through *t, enum mapping_part part)
{
	char needs[132];

	t->links.known[part] = t->links.is_changed = true;
	if (part == PART_SWITCHES)
		return;
	list_foreach_safe (&t->queue, it) {
		struct through_item *item = container_of(it, struct through_item, node);

		if (item->part != part)
			continue;
		through_item_make(t, item, needs);
		if (item->hash)
			through_links_set(&t->links, part, item->id, NULL, item->hash);
		through_item_free(t, item);
	}
}

static bool has_record(const struct through *t, const struct through_link *link)
{
	enum bus_topic topic;

	return mapping_topic(link->part, &topic) &&
	       bus_topic_find(t->bus, topic, BUS_APID, link->id);
}

/* What apid removed while nobody looked, or what Directus did not take before the last stop, comes
 * in no batch. */
static void sweep(struct through *t, enum mapping_part part)
{
	int err = 0;

	hmap_foreach (&t->links.by_id, it) {
		const struct through_link *link = it.value;

		if (!err && link->part == part && !has_record(t, link))
			err = through_touch(t, part, link->id);
	}
	if (!err)
		err = through_touch_adds(t, part);
	t->swept[part] = !err;
	if (err)
		bus_record_lost(t->bus);
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	const enum mapping_part prefs[] = { PART_SWITCHES, PART_LIST_PREFS },
				one[] = { through_part_of(topic), PARTS };
	const enum mapping_part *parts = topic == TOPIC_device_prefs ? prefs : one;
	struct through *t = arg;
	bool begins = false;

	(void)owner, (void)gen;
	for (size_t i = 0; i < 2; i++) {
		if (parts[i] < PARTS && !t->links.known[parts[i]]) {
			take_as_known(t, parts[i]);
			begins = true;
		}
		/* Not by an old state from disk. */
		if (parts[i] < PARTS && !t->swept[parts[i]] &&
			bus_topic_is_current(t->bus, topic, BUS_APID))
			sweep(t, parts[i]);
	}
	/* At once: what comes after this is a change. */
	if (begins)
		through_save(t);
	through_next(t);
}

static const struct bus_topic_ops topic_ops = { on_record, on_batch_end };

/* ---- what Directus has ---- */

void through_adopt(
	const struct through *t, enum mapping_part part, char id[static 132], cJSON *record)
{
	const char *category = cJSON_GetStringValue(json_get(record, "category")), *text;
	const struct through_link *link = through_links_find_key(&t->links, part, id);
	enum bus_topic topic;
	cJSON *local;

	if (link) {
		snprintf(id, 132, "%s", link->id);
		cJSON_ReplaceItemInObjectCaseSensitive(record, "id", cJSON_CreateString(id));
		text = mapping_topic(part, &topic) ? bus_topic_find(t->bus, topic, BUS_APID, id)
						   : NULL;
		local = text ? json_parse(text, strlen(text)) : NULL;
		mapping_add_rest(part, local, record);
		cJSON_Delete(local);
	}
	link = category ? through_links_find_key(&t->links, PART_CATEGORIES, category) : NULL;
	if (link)
		cJSON_ReplaceItemInObjectCaseSensitive(
			record, "category", cJSON_CreateString(link->id));
}

void through_compare(
	struct through *t, enum bus_topic topic, const struct hmap *records, uint64_t begun_at)
{
	enum mapping_part part = through_part_of(topic);

	if (!t->writes || part == PARTS)
		return;
	hmap_foreach (&t->links.by_id, it) {
		const struct through_link *link = it.value;

		if (link->part == part && *link->key && link->round < begun_at &&
			!hmap_find_str(records, link->id))
			t->ops->on_gone(t->arg, topic, link->id);
	}
}

void through_dropped(struct through *t, enum bus_topic topic, const char *id)
{
	struct through_link *link = through_links_find(&t->links, through_part_of(topic), id);

	if (link)
		through_links_remove(&t->links, link);
	through_save_soon(t);
}

int through_start(struct through *t)
{
	enum bus_topic topic;
	int err = bus_subscribe(t->bus, TOPIC_device_prefs, BUS_APID, &topic_ops, t);

	for (int p = 0; p < PARTS && !err; p++) {
		if (mapping_topic((enum mapping_part)p, &topic))
			err = bus_subscribe(t->bus, topic, BUS_APID, &topic_ops, t);
	}
	return err;
}
