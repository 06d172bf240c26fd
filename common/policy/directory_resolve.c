/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/directory_impl.h"
#include "common/policy/view.h"
#include <stdio.h>
#include <string.h>

static const struct rec_device_pref *find_pref(
	const struct directory *d, const char *kind, const char *id, int owner)
{
	char key[160];

	if (!id || !d->prefs[owner].count)
		return NULL;
	snprintf(key, sizeof(key), "%s:%s", kind, id);
	return hmap_find_str(&d->prefs[owner], key);
}

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

void directory_watch_clock(struct directory *d)
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

void directory_resolve(struct directory *d, struct directory_entry *e)
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

void directory_resolve_all(struct directory *d)
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

void directory_resolve_groups(struct directory *d)
{
	hmap_foreach (&d->by_id, it) {
		struct directory_entry *e = it.value;
		if (e->rec.group && hmap_find_str(&d->dirty_groups, e->rec.group))
			directory_resolve(d, e);
	}
}

void directory_on_expiry(struct timer *t)
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
