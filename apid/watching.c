/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/watching.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GOOD_MS = 60000, RENEW_MS = 20000, OTHERS_MAX = 64 };

/* What another apid wants watched, and until when that is believed. */
struct other {
	cJSON *devices;
	int64_t until;
};

static void free_other(void *value)
{
	struct other *o = value;

	cJSON_Delete(o->devices);
	free(o);
}

static cJSON *names_of(const struct rec_strs *s)
{
	return cJSON_CreateStringArray((const char *const *)s->v, (int)s->n);
}

static cJSON *make_record(const char *id, cJSON *devices, int64_t until)
{
	cJSON *o = cJSON_CreateObject();

	if (!o || !devices || !cJSON_AddStringToObject(o, "id", id) ||
		!cJSON_AddItemToObject(o, "devices", devices)) {
		cJSON_Delete(devices);
		cJSON_Delete(o);
		return NULL;
	}
	cJSON_AddNumberToObject(o, "until", (double)until);
	return o;
}

static void publish(struct watching *w)
{
	const char *ids[OTHERS_MAX + 1];
	cJSON *records[OTHERS_MAX + 1];
	int64_t now = clock_wall_ms();
	size_t n = 0;

	if (!publisher_is_holder(w->publisher))
		return;
	if (w->wanted.n) {
		ids[n] = w->instance;
		records[n] = make_record(w->instance, names_of(&w->wanted), now + GOOD_MS);
		n += records[n] != NULL;
	}
	hmap_foreach (&w->others, it) {
		const struct other *o = it.value;

		if (o->until <= now)
			continue;
		ids[n] = it.key;
		records[n] = make_record(it.key, cJSON_Duplicate(o->devices, true), o->until);
		n += records[n] != NULL;
	}
	if (!n && !w->has_published)
		return;
	w->has_published = n;
	bus_state_replace(w->bus, TOPIC_watch, ids, records, n);
}

/* ---- of this process ---- */

static bool is_same(const struct rec_strs *s, const char *const *devices, size_t n)
{
	for (size_t i = 0; s->n == n && i < n; i++) {
		if (strcmp(s->v[i], devices[i]) != 0)
			return false;
	}
	return s->n == n;
}

static void empty(struct rec_strs *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct rec_strs){ 0 };
}

void watching_set(struct watching *w, const char *const *devices, size_t n)
{
	if (is_same(&w->wanted, devices, n))
		return;
	empty(&w->wanted);
	w->wanted.v = calloc(n + 1, sizeof(*w->wanted.v));
	for (size_t i = 0; w->wanted.v && i < n; i++) {
		w->wanted.v[i] = strdup(devices[i]);
		if (!w->wanted.v[i])
			break;
		w->wanted.n++;
	}
	publish(w);
	bus_status_changed(w->bus);
}

void watching_fill_status(const struct watching *w, cJSON *status)
{
	if (w->wanted.n)
		cJSON_AddItemToObject(status, "watches", names_of(&w->wanted));
}

/* ---- of others ---- */

static bool is_fit(const cJSON *devices)
{
	const cJSON *one;

	if (!cJSON_IsArray(devices) || cJSON_GetArraySize(devices) > WATCH_DEVICES_MAX)
		return false;
	cJSON_ArrayForEach (one, devices) {
		if (!cJSON_IsString(one))
			return false;
	}
	return cJSON_GetArraySize(devices) > 0;
}

static void on_status(void *arg, const struct bus_status *s)
{
	struct watching *w = arg;
	const cJSON *devices = json_get(s->json, "watches");
	const struct other *known = hmap_find_str(&w->others, s->instance);
	bool is_new, had = known;
	struct other *o;

	if (s->daemon != BUS_APID || !strcmp(s->instance, w->instance))
		return;
	if (!is_fit(devices)) {
		hmap_remove_str(&w->others, s->instance);
		if (had)
			publish(w);
		return;
	}
	if (!had && w->others.count >= OTHERS_MAX)
		return;
	is_new = !had || !cJSON_Compare(known->devices, devices, true);
	o = calloc(1, sizeof(*o));
	if (!o)
		return;
	*o = (struct other){ cJSON_Duplicate(devices, true), clock_wall_ms() + GOOD_MS };
	if (!o->devices || hmap_set_str(&w->others, s->instance, o)) {
		free_other(o);
		return;
	}
	if (is_new)
		publish(w);
}

static void on_renew(struct timer *t)
{
	publish(t->data);
}

/* ---- life ---- */

int watching_open(struct watching *w, uv_loop_t *loop, struct bus *bus, const struct publisher *p,
	const char *instance)
{
	*w = (struct watching){ .bus = bus, .publisher = p, .instance = instance };
	hmap_init(&w->others, free_other);
	timer_init(loop, &w->renew, on_renew, w);
	timer_start(&w->renew, RENEW_MS, RENEW_MS);
	return bus_watch_status(bus, on_status, w);
}

void watching_close(struct watching *w)
{
	if (w->renew.on_fire)
		timer_close(&w->renew, NULL);
}

void watching_fini(struct watching *w)
{
	empty(&w->wanted);
	hmap_fini(&w->others);
}
