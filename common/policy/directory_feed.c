/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "common/policy/directory_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A record that views may still point to; freed at the end of the batch. */
struct retired {
	struct list node;
	enum rec_type type;
	void *rec;
};

static const struct {
	enum bus_topic topic;
	enum bus_daemon owner;
	bool needed; /* without it nothing is known */
} sources[SOURCES] = {
	[SOURCE_DEVICES] = { TOPIC_devices, BUS_APID, true },
	[SOURCE_GROUPS] = { TOPIC_groups, BUS_APID, true },
	[SOURCE_SETTINGS] = { TOPIC_settings, BUS_APID, true },
	[SOURCE_USAGE] = { TOPIC_usage, BUS_WGD, false },
	[SOURCE_PREFS_LOCAL] = { TOPIC_device_prefs, BUS_APID, true },
	[SOURCE_PREFS_DIRECTUS] = { TOPIC_device_prefs, BUS_SYNCD, false },
};

static void retire(struct directory *d, enum rec_type type, void *rec)
{
	struct retired *r = rec ? malloc(sizeof(*r)) : NULL;

	if (!r)
		return; /* without memory it leaks rather than dangles */
	*r = (struct retired){ .type = type, .rec = rec };
	list_add(&d->retired, &r->node);
}

static void free_retired(struct directory *d)
{
	list_foreach_safe (&d->retired, it) {
		struct retired *r = container_of(it, struct retired, node);
		list_remove(&r->node);
		rec_fini(r->type, r->rec);
		free(r->rec);
		free(r);
	}
}

/* Replaces the record of that id (rec NULL: takes it out). Without memory the old one stays until
 * the bus brings the new one again. */
static void store(
	struct directory *d, struct hmap *map, enum rec_type type, const char *id, const void *rec)
{
	void *old = hmap_find_str(map, id), *copy;

	if (!rec) {
		retire(d, type, hmap_take_str(map, id));
		return;
	}
	copy = calloc(1, rec_size(type));
	if (!copy || rec_copy(type, rec, copy)) {
		free(copy);
		bus_record_lost(d->bus);
		return;
	}
	if (hmap_set_str(map, id, copy)) {
		rec_fini(type, copy);
		free(copy);
		bus_record_lost(d->bus);
		return;
	}
	retire(d, type, old);
}

static void free_entry(struct directory_entry *e)
{
	rec_fini(REC_device, &e->rec);
	free(e);
}

static void remove_device(struct directory *d, const char *id)
{
	struct directory_entry *e = hmap_take_str(&d->by_id, id);

	if (!e)
		return;
	if (e->announced && d->ops.on_gone)
		d->ops.on_gone(d->arg, &e->view);
	directory_unindex(d, e);
	free_entry(e);
	d->all_dirty |= d->has_conflicts;
}

static void add_device(struct directory *d, const char *id, const struct rec_device *rec)
{
	struct directory_entry *e = calloc(1, sizeof(*e));

	if (!e || rec_copy(REC_device, rec, &e->rec) || hmap_set_str(&d->by_id, id, e)) {
		bus_record_lost(d->bus);
		if (e)
			free_entry(e);
		return;
	}
	directory_resolve(d, e);
}

static void set_device(struct directory *d, const char *id, const struct rec_device *rec)
{
	struct directory_entry *e = hmap_find_str(&d->by_id, id);
	struct rec_device old;

	/* Here it is none, wherever it was before. */
	if (!bus_serves_tunnel(d->bus, rec->tunnel)) {
		remove_device(d, id);
		return;
	}
	if (!e) {
		add_device(d, id, rec);
		return;
	}
	old = e->rec;
	if (rec_copy(REC_device, rec, &e->rec)) {
		bus_record_lost(d->bus);
		e->rec = old;
		return;
	}
	/* The view points into the old record until it is resolved anew. */
	directory_resolve(d, e);
	rec_fini(REC_device, &old);
	d->all_dirty |= d->has_conflicts;
}

static void on_device_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct directory *d = arg;

	(void)topic;
	(void)owner;
	if (rec)
		set_device(d, id, rec);
	else
		remove_device(d, id);
}

/* Its devices are resolved at the end of the batch; without memory to note it, all are. */
static void touch_group(struct directory *d, const char *id)
{
	if (!d->all_dirty && hmap_set_str(&d->dirty_groups, id, d))
		d->all_dirty = true;
}

static void on_group_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct directory *d = arg;

	(void)owner;
	store(d, &d->groups, bus_topic_record(topic), id, rec);
	touch_group(d, id);
}

/* The id says whom it is for: "device:ID", "group:ID". */
static void on_pref_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct directory *d = arg;
	struct directory_entry *e;

	store(d, &d->prefs[owner == BUS_SYNCD], bus_topic_record(topic), id, rec);
	if (!strncmp(id, "group:", 6)) {
		touch_group(d, id + 6);
	} else if (!strncmp(id, "device:", 7)) {
		e = hmap_find_str(&d->by_id, id + 7);
		if (e)
			directory_resolve(d, e);
	}
}

static void on_usage_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct directory *d = arg;
	struct directory_entry *e = hmap_find_str(&d->by_id, id);

	(void)topic;
	(void)owner;
	store(d, &d->usage, REC_usage, id, rec);
	if (e)
		directory_resolve(d, e);
}

static void on_setting_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct directory *d = arg;
	int err = settings_apply(&d->settings, id, rec);

	(void)topic;
	(void)owner;
	if (err == -ENOMEM)
		bus_record_lost(d->bus);
	if (err != -ENOENT)
		d->all_dirty = d->settings_dirty = true;
}

static bool are_sources_known(const struct directory *d)
{
	for (int i = 0; i < SOURCES; i++) {
		if (sources[i].needed &&
			!bus_topic_is_known(d->bus, sources[i].topic, sources[i].owner))
			return false;
	}
	return true;
}

static void set_gen(struct directory *d, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	for (int i = 0; i < SOURCES; i++) {
		if (sources[i].topic == topic && sources[i].owner == owner)
			d->gens[i] = gen;
	}
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct directory *d = arg;

	if (!d->known && are_sources_known(d)) {
		d->known = d->all_dirty = d->settings_dirty = true;
		directory_watch_clock(d);
		log_info("devices known count=%zu", d->by_id.count);
	}
	if (d->settings_dirty && d->known && d->ops.on_settings)
		d->ops.on_settings(d->arg, &d->settings);
	d->settings_dirty = d->settings_dirty && !d->known;
	if (d->all_dirty || d->index_lost)
		directory_resolve_all(d);
	else if (d->dirty_groups.count)
		directory_resolve_groups(d);
	hmap_clear(&d->dirty_groups);
	free_retired(d);
	if (!d->index_lost)
		set_gen(d, topic, owner, gen);
	if (d->known && d->ops.on_batch_end)
		d->ops.on_batch_end(d->arg);
}

int directory_subscribe(struct directory *d)
{
	static const struct bus_topic_ops device_ops = { on_device_record, on_batch_end };
	static const struct bus_topic_ops group_ops = { on_group_record, on_batch_end };
	static const struct bus_topic_ops pref_ops = { on_pref_record, on_batch_end };
	static const struct bus_topic_ops usage_ops = { on_usage_record, on_batch_end };
	static const struct bus_topic_ops setting_ops = { on_setting_record, on_batch_end };
	static const struct bus_topic_ops *const ops[SOURCES] = {
		[SOURCE_DEVICES] = &device_ops,
		[SOURCE_GROUPS] = &group_ops,
		[SOURCE_SETTINGS] = &setting_ops,
		[SOURCE_USAGE] = &usage_ops,
		[SOURCE_PREFS_LOCAL] = &pref_ops,
		[SOURCE_PREFS_DIRECTUS] = &pref_ops,
	};
	int err = 0;

	for (int i = 0; i < SOURCES && !err; i++)
		err = bus_subscribe(d->bus, sources[i].topic, sources[i].owner, ops[i], d);
	return err;
}

static void free_records(struct hmap *map, enum rec_type type)
{
	hmap_foreach (map, it) {
		rec_fini(type, it.value);
		free(it.value);
	}
	hmap_fini(map);
}

void directory_records_fini(struct directory *d)
{
	hmap_foreach (&d->by_id, it)
		free_entry(it.value);
	hmap_fini(&d->by_id);
	free_records(&d->groups, REC_group);
	free_records(&d->usage, REC_usage);
	free_records(&d->prefs[0], REC_device_pref);
	free_records(&d->prefs[1], REC_device_pref);
	free_retired(d);
}

void directory_applied(struct directory *d)
{
	for (int i = 0; i < SOURCES; i++) {
		if (d->gens[i])
			bus_topic_applied(d->bus, sources[i].topic, sources[i].owner, d->gens[i]);
	}
}
