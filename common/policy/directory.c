/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/directory.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/log.h"
#include "common/policy/view.h"
#include "common/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A device as the directory keeps it: the record of the bus and what it resolves to. */
struct directory_entry {
	struct device_view view; /* first: a view is its entry */
	struct rec_device rec;
	bool announced;	     /* on_device was called */
	int64_t next_change; /* when time alone may make it another, epoch ms; 0 = never */
};

/* A record that views may still point to; freed at the end of the batch. */
struct retired {
	struct list node;
	enum rec_type type;
	void *rec;
};

/* Topics in the order of the generations array. */
enum directory_source {
	SOURCE_DEVICES,
	SOURCE_GROUPS,
	SOURCE_SETTINGS,
	SOURCE_USAGE,
	SOURCE_PREFS_LOCAL,
	SOURCE_PREFS_DIRECTUS,
	SOURCES
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

struct directory {
	struct bus *bus;
	struct directory_ops ops;
	void *arg;
	struct hmap by_id;		     /* id → entry */
	struct hmap by_addr;		     /* struct addr → entry */
	struct hmap groups, usage, prefs[2]; /* id → record */
	struct hmap dirty_groups;	     /* id → anything: their devices are to be resolved */
	struct settings settings;
	struct time_zones zones;
	struct list retired;
	struct timer expiry; /* when time itself changes a device: expiry, schedules */
	int64_t next_expiry; /* epoch ms, 0 = none */
	/* Both clocks at the start, and the wall's distance from the steady one when last looked.
	 */
	int64_t started_wall, clock_offset;
	uint64_t started_mono;
	bool all_dirty, settings_dirty, known;
	bool reindexing;    /* every address is claimed anew */
	bool has_conflicts; /* an address is claimed twice: any change may free it for another */
	bool index_lost;    /* there was no memory for an address: all are claimed anew soon */
	uint64_t gens[SOURCES];
	struct hmap_iter next; /* of directory_next */
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

static void directory_unindex(struct directory *d, struct directory_entry *e)
{
	for (size_t i = 0; i < e->view.address_count; i++) {
		const struct addr *a = &e->view.addresses[i];
		if (hmap_find(&d->by_addr, a, sizeof(*a)) == e)
			hmap_take(&d->by_addr, a, sizeof(*a));
	}
}

/* An address belongs to one device (W8): of several that claim it, the one with the smallest id, so
 * that every daemon says the same whatever it read first. */
static void directory_index(struct directory *d, struct directory_entry *e)
{
	for (size_t i = 0; i < e->view.address_count; i++) {
		const struct addr *a = &e->view.addresses[i];
		struct directory_entry *other = hmap_find(&d->by_addr, a, sizeof(*a));
		bool is_mine = !other || other == e || strcmp(e->rec.id, other->rec.id) < 0;
		char text[ADDR_STRLEN];

		if (is_mine && hmap_set(&d->by_addr, a, sizeof(*a), e)) {
			d->index_lost = true;
			bus_record_lost(d->bus);
		}
		if (!other || other == e)
			continue;
		d->has_conflicts = true;
		addr_format(a, text);
		log_warning("address refused, it belongs to another device device=%s address=%s "
			    "holder=%s",
			(is_mine ? other : e)->rec.id, text, (is_mine ? e : other)->rec.id);
		/* The other one loses what it had. */
		if (is_mine && other->announced && d->known && d->ops.on_device)
			d->ops.on_device(d->arg, &other->view);
	}
}

/* Bit per address of the view: it is indexed as its own. */
static unsigned directory_owned(const struct directory *d, const struct directory_entry *e)
{
	unsigned bits = 0;

	for (size_t i = 0; i < e->view.address_count; i++) {
		const struct addr *a = &e->view.addresses[i];
		if (hmap_find(&d->by_addr, a, sizeof(*a)) == e)
			bits |= 1u << i;
	}
	return bits;
}

static const struct rec_device_pref *find_pref(
	const struct directory *d, const char *kind, const char *id, int owner)
{
	char key[160];

	if (!id || !d->prefs[owner].count)
		return NULL;
	snprintf(key, sizeof(key), "%s:%s", kind, id);
	return hmap_find_str(&d->prefs[owner], key);
}

/* ---- the clock ---- */

enum { CLOCK_STEP_MS = 1000, CLOCK_BACK_MS = 600000, INDEX_RETRY_MS = 500 };

/* How far the wall clock is from where it would be if nobody had set it since the start. */
static int64_t clock_offset(const struct directory *d)
{
	return clock_wall_ms() - d->started_wall - (int64_t)(clock_mono_ms() - d->started_mono);
}

/* A clock that was set back extends no entitlement. */
static int64_t entitlement_time(const struct directory *d, int64_t now_ms)
{
	int64_t offset = clock_offset(d);

	return offset < -CLOCK_BACK_MS ? now_ms - offset : now_ms;
}

/* Also without anything to come: the clock may be set. */
static void directory_watch_clock(struct directory *d)
{
	timer_start_at(&d->expiry, d->next_expiry ? d->next_expiry : INT64_MAX);
}

static void gather(struct directory *d, const struct directory_entry *e, struct view_inputs *in)
{
	const struct rec_device *rec = &e->rec;
	const struct rec_usage *usage = hmap_find_str(&d->usage, rec->id);
	/* prefs[0] is the owner that wins. */
	int winner = d->settings.policy_source == POLICY_SOURCE_DIRECTUS;

	*in = (struct view_inputs){ .device = rec, .settings = &d->settings, .zones = &d->zones };
	in->group = rec->group ? hmap_find_str(&d->groups, rec->group) : NULL;
	in->over_quota = usage && (usage->over_quota || usage->head.closed);
	for (int i = 0; i < 2; i++) {
		int owner = i == 0 ? winner : !winner;
		in->device_prefs[i] = find_pref(d, "device", rec->id, owner);
		in->group_prefs[i] = find_pref(d, "group", rec->group, owner);
	}
	in->now_ms = clock_wall_ms();
	in->entitled_at_ms = entitlement_time(d, in->now_ms);
}

void directory_view_at(
	struct directory *d, const struct device_view *v, int64_t at_ms, struct device_view *out)
{
	struct view_inputs in;

	*out = (struct device_view){ 0 };
	gather(d, container_of(v, const struct directory_entry, view), &in);
	in.entitled_at_ms += at_ms - in.now_ms;
	in.now_ms = at_ms;
	view_resolve(&in, out);
}

static void note_next_change(struct directory *d, const struct directory_entry *e)
{
	int64_t at = e->next_change;

	if (!at || (d->next_expiry && d->next_expiry <= at))
		return;
	d->next_expiry = at;
	directory_watch_clock(d);
}

static bool has_same_addresses(const struct device_view *a, const struct device_view *b)
{
	return a->address_count == b->address_count &&
	       !memcmp(a->addresses, b->addresses, a->address_count * sizeof(a->addresses[0]));
}

/* Resolves one device anew and tells the daemon when that made a difference. */
static void directory_resolve(struct directory *d, struct directory_entry *e)
{
	struct device_view fresh = { .user = e->view.user };
	struct view_inputs in;

	gather(d, e, &in);
	view_resolve(&in, &fresh);
	bool changed = !e->announced || !view_equal(&e->view, &fresh);
	if (changed)
		fresh.lists_off_version = 0;
	if (d->reindexing || d->has_conflicts || !has_same_addresses(&e->view, &fresh)) {
		unsigned before = directory_owned(d, e);
		directory_unindex(d, e);
		e->view = fresh;
		directory_index(d, e);
		/* One that was another's until now. */
		changed |= directory_owned(d, e) != before;
	} else {
		e->view = fresh;
	}
	e->next_change = view_next_change(&e->view, in.now_ms);
	note_next_change(d, e);
	if (changed && d->known) {
		e->announced = true;
		if (d->ops.on_device)
			d->ops.on_device(d->arg, &e->view);
	}
}

static void directory_resolve_all(struct directory *d)
{
	d->reindexing = d->has_conflicts || d->index_lost;
	d->all_dirty = d->has_conflicts = d->index_lost = false;
	d->next_expiry = 0;
	hmap_foreach (&d->by_id, it)
		directory_resolve(d, it.value);
	d->reindexing = false;
}

/* Only the devices whose time has come. */
static void resolve_due(struct directory *d)
{
	int64_t now = clock_wall_ms();

	d->next_expiry = 0;
	hmap_foreach (&d->by_id, it) {
		struct directory_entry *e = it.value;
		if (e->next_change && e->next_change <= now)
			directory_resolve(d, e);
		else
			note_next_change(d, e);
	}
}

/* Only the devices of the groups that changed. */
static void directory_resolve_groups(struct directory *d)
{
	hmap_foreach (&d->by_id, it) {
		struct directory_entry *e = it.value;
		if (e->rec.group && hmap_find_str(&d->dirty_groups, e->rec.group))
			directory_resolve(d, e);
	}
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

static void directory_on_expiry(struct timer *t)
{
	struct directory *d = t->data;
	int64_t offset = clock_offset(d), step = offset - d->clock_offset;
	bool was_set = step > CLOCK_STEP_MS || step < -CLOCK_STEP_MS;

	/* Where the clock was set back, nothing that was computed with it holds. */
	if (!was_set && !d->index_lost && offset > -CLOCK_BACK_MS &&
		(!d->next_expiry || clock_wall_ms() < d->next_expiry)) {
		directory_watch_clock(d);
		return;
	}
	d->clock_offset = offset;
	if (was_set || d->index_lost || offset <= -CLOCK_BACK_MS)
		directory_resolve_all(d);
	else
		resolve_due(d);
	if (d->index_lost)
		d->next_expiry = clock_wall_ms() + INDEX_RETRY_MS;
	directory_watch_clock(d);
	if (d->known && d->ops.on_batch_end)
		d->ops.on_batch_end(d->arg);
}

static int directory_subscribe(struct directory *d)
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

struct directory *directory_open(
	uv_loop_t *loop, struct bus *bus, const struct directory_ops *ops, void *arg)
{
	struct directory *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->bus = bus;
	d->ops = *ops;
	d->arg = arg;
	hmap_init(&d->by_id, NULL);
	hmap_init(&d->by_addr, NULL);
	hmap_init(&d->groups, NULL);
	hmap_init(&d->usage, NULL);
	hmap_init(&d->dirty_groups, NULL);
	hmap_init(&d->prefs[0], NULL);
	hmap_init(&d->prefs[1], NULL);
	list_init(&d->retired);
	settings_init(&d->settings);
	time_zones_init(&d->zones);
	timer_init(loop, &d->expiry, directory_on_expiry, d);
	d->started_wall = clock_wall_ms();
	d->started_mono = clock_mono_ms();
	if (directory_subscribe(d)) {
		directory_close(d);
		return NULL;
	}
	return d;
}

static void free_records(struct hmap *map, enum rec_type type)
{
	hmap_foreach (map, it) {
		rec_fini(type, it.value);
		free(it.value);
	}
	hmap_fini(map);
}

static void directory_records_fini(struct directory *d)
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

static void on_closed(struct timer *t)
{
	struct directory *d = t->data;

	directory_records_fini(d);
	hmap_fini(&d->by_addr);
	hmap_fini(&d->dirty_groups);
	settings_fini(&d->settings);
	time_zones_fini(&d->zones);
	free(d);
}

void directory_close(struct directory *d)
{
	timer_close(&d->expiry, on_closed);
}

bool directory_is_known(const struct directory *d)
{
	return d->known;
}

bool directory_is_current(const struct directory *d)
{
	return d->known && bus_topic_is_current(d->bus, TOPIC_devices, BUS_APID);
}

struct device_view *directory_find(struct directory *d, const struct addr *a)
{
	struct directory_entry *e = hmap_find(&d->by_addr, a, sizeof(*a));

	return e && d->known ? &e->view : NULL;
}

struct device_view *directory_find_id(struct directory *d, const char *id)
{
	struct directory_entry *e = hmap_find_str(&d->by_id, id);

	return e && d->known ? &e->view : NULL;
}

size_t directory_count(const struct directory *d)
{
	return d->by_id.count;
}

struct device_view *directory_next(struct directory *d, struct device_view *v)
{
	if (!v)
		d->next = (struct hmap_iter){ 0 };
	return hmap_next(&d->by_id, &d->next) ? &((struct directory_entry *)d->next.value)->view
					      : NULL;
}

const struct settings *directory_settings(const struct directory *d)
{
	return &d->settings;
}

void directory_applied(struct directory *d)
{
	for (int i = 0; i < SOURCES; i++) {
		if (d->gens[i])
			bus_topic_applied(d->bus, sources[i].topic, sources[i].owner, d->gens[i]);
	}
}
