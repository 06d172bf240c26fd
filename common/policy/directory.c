/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/directory_impl.h"
#include <stdlib.h>

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
