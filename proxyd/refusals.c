/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/refusals.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one device under one name. */
struct tries {
	unsigned alerts, hangups;
	int64_t last; /* the end of the last one that counts */
};

void pin_id(const char *device, const char *name, char out[static PIN_ID_LEN])
{
	snprintf(out, PIN_ID_LEN, "%s@%s", name, device);
}

void refusals_init(struct refusals *r)
{
	hmap_init(&r->by_id, free);
}

void refusals_fini(struct refusals *r)
{
	hmap_fini(&r->by_id);
}

static unsigned count_of(const struct tries *t)
{
	return t->alerts + t->hangups / 2;
}

static const char *device_of(const char *id)
{
	const char *at = strchr(id, '@');

	return at ? at + 1 : "";
}

/* A clock that was set back makes nothing older. */
static bool is_old(const struct tries *t, int64_t now)
{
	return now < t->last || now - t->last > REFUSALS_KEPT_MS;
}

struct oldest {
	char id[PIN_ID_LEN]; /* "" none */
	int64_t last;
};

static void look_at(struct oldest *o, const char *id, const struct tries *t)
{
	if (*o->id && o->last <= t->last)
		return;
	snprintf(o->id, sizeof(o->id), "%s", id);
	o->last = t->last;
}

/* For one more of that device: what it has too much of goes first, the oldest of it. */
static void make_room(struct refusals *r, const char *device, int64_t now)
{
	struct oldest any = { 0 }, own = { 0 };
	size_t count = 0;

	hmap_foreach (&r->by_id, it) {
		bool is_own = !strcmp(device_of(it.key), device);

		if (is_old(it.value, now)) {
			hmap_remove(&r->by_id, it.key, it.len);
			continue;
		}
		count += is_own;
		look_at(is_own ? &own : &any, it.key, it.value);
	}
	if (count >= REFUSALS_PER_DEVICE)
		hmap_remove_str(&r->by_id, own.id);
	else if (r->by_id.count >= REFUSALS_MAX)
		hmap_remove_str(&r->by_id, *any.id ? any.id : own.id);
}

static struct tries *take(struct refusals *r, const struct refused *one)
{
	char id[PIN_ID_LEN];
	struct tries *t;

	pin_id(one->device, one->name, id);
	t = hmap_find_str(&r->by_id, id);
	if (t && !is_old(t, one->ended))
		return t;
	make_room(r, one->device, one->ended);
	t = calloc(1, sizeof(*t));
	if (t && hmap_set_str(&r->by_id, id, t)) {
		free(t);
		return NULL;
	}
	return t;
}

unsigned refusals_add(struct refusals *r, const struct refused *one)
{
	struct tries *t = take(r, one);

	if (!t)
		return 0;
	if (one->began >= t->last) {
		t->last = one->ended;
		if (one->is_alert)
			t->alerts++;
		else
			t->hangups++;
	}
	return count_of(t);
}

void refusals_each(const struct refusals *r,
	void (*on_each)(void *arg, const char *device, const char *name, unsigned count), void *arg)
{
	hmap_foreach (&r->by_id, it) {
		const struct tries *t = it.value;
		char id[PIN_ID_LEN], *at;

		snprintf(id, sizeof(id), "%s", it.key);
		at = strchr(id, '@');
		if (!at)
			continue;
		*at = '\0';
		on_each(arg, at + 1, id, count_of(t));
	}
}

void refusals_trust(struct refusals *r, const char *device, const char *name)
{
	char id[PIN_ID_LEN];
	struct tries *t;

	pin_id(device, name, id);
	t = hmap_find_str(&r->by_id, id);
	if (t)
		t->hangups = 0;
	if (t && !t->alerts)
		hmap_remove_str(&r->by_id, id);
}

void refusals_forget(struct refusals *r, const char *device, const char *name)
{
	char id[PIN_ID_LEN];

	pin_id(device, name, id);
	hmap_remove_str(&r->by_id, id);
}

bool refusals_has(const struct refusals *r, const char *device, const char *name)
{
	char id[PIN_ID_LEN];

	if (!r->by_id.count)
		return false;
	pin_id(device, name, id);
	return hmap_find_str(&r->by_id, id);
}
