/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/directus_brake.h"
#include "syncd/directus_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct directus_unit *directus_find_unit(const struct directus *d, const char *id)
{
	for (size_t i = 0; i < d->count; i++) {
		if (!strcmp(d->units[i]->id, id))
			return d->units[i];
	}
	return NULL;
}

static struct directus_unit *add_unit(struct directus *d, const char *id)
{
	struct directus_unit **more = realloc(d->units, (d->count + 1) * sizeof(*more)), *u;

	if (!more)
		return NULL;
	d->units = more;
	u = directus_unit_new(id);
	if (u)
		d->units[d->count++] = u;
	return u;
}

static void set_part(struct directus *d, struct directus_unit *u, enum mapping_part part)
{
	u->parts[u->part_count] = part;
	snprintf(u->collections[u->part_count], sizeof(*u->collections), "%s",
		d->conf.mapping.collections[part]);
	u->part_count++;
}

static int add_topics(struct directus *d)
{
	struct directus_unit *u = add_unit(d, "device_prefs");

	if (!u)
		return -ENOMEM;
	u->topic = TOPIC_device_prefs;
	set_part(d, u, PART_LIST_PREFS);
	set_part(d, u, PART_SWITCHES);
	for (int p = 0; p < PARTS; p++) {
		enum bus_topic topic;

		if (!mapping_topic((enum mapping_part)p, &topic))
			continue;
		u = add_unit(d, mapping_part_name((enum mapping_part)p));
		if (!u)
			return -ENOMEM;
		u->topic = topic;
		set_part(d, u, (enum mapping_part)p);
	}
	return 0;
}

static int add_lists(struct directus *d)
{
	static const enum mapping_part lists[] = { PART_MAPS, PART_GIFS, PART_GENERAL,
		PART_APP_URLS };

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct directus_unit *u;

		if (!*d->conf.mapping.collections[lists[i]])
			continue;
		u = add_unit(d, mapping_part_name(lists[i]));
		if (!u)
			return -ENOMEM;
		u->is_list = true;
		set_part(d, u, lists[i]);
	}
	return 0;
}

int directus_add_list(struct directus *d, const char *id)
{
	struct directus_unit *u = directus_find_unit(d, id);

	if (u)
		return 0;
	u = add_unit(d, id);
	if (!u)
		return -ENOMEM;
	u->is_list = true;
	u->poll_s = d->conf.poll_s;
	u->parts[0] = PART_APPS;
	u->part_count = 1;
	snprintf(u->collections[0], sizeof(u->collections[0]), "%s", id);
	return 0;
}

bool directus_has_list(const struct directus *d, const char *id)
{
	const struct directus_unit *u = directus_find_unit(d, id);

	return u && u->is_list;
}

void directus_forget(struct directus *d, const char *id)
{
	struct directus_unit *u = directus_find_unit(d, id);

	if (u)
		u->known = false;
}

bool directus_confirm(struct directus *d, const char *id)
{
	struct directus_unit *u = directus_find_unit(d, id);
	bool waits = directus_brake_confirm(d, id) || (u && u->missing);

	if (u)
		u->confirmed = true;
	return waits;
}

/* ---- status ---- */

void directus_report(const struct directus *d, cJSON *status)
{
	cJSON *json = cJSON_AddObjectToObject(status, "directus"), *units, *row;
	size_t held = 0;

	if (*d->error)
		cJSON_AddStringToObject(json, "error", d->error);
	if (d->good_at)
		cJSON_AddNumberToObject(json, "good_at", (double)d->good_at);
	cJSON_AddNumberToObject(json, "rounds", (double)d->rounds);
	units = cJSON_AddObjectToObject(json, "collections");
	for (size_t i = 0; i < d->count; i++) {
		const struct directus_unit *u = d->units[i];

		row = cJSON_AddObjectToObject(units, u->id);
		cJSON_AddNumberToObject(row, "rows", (double)u->rows);
		if (u->skipped)
			cJSON_AddNumberToObject(row, "skipped", (double)u->skipped);
		if (u->read_at)
			cJSON_AddNumberToObject(row, "read_at", (double)u->read_at);
		if (*u->error)
			cJSON_AddStringToObject(row, "error", u->error);
		if (u->is_held)
			cJSON_AddBoolToObject(row, "held", true);
		held += u->is_held;
	}
	cJSON_AddNumberToObject(json, "held", (double)held);
}

/* ---- changes ---- */

static void set_sources(struct directus *d)
{
	struct directus_unit *u = directus_find_unit(d, "sni_block");
	const struct conf_strings *sources = d->conf.sni_sources;

	if (!sources || !sources->n)
		return;
	u->part_count = 0;
	for (size_t i = 0; i < sources->n && i < UNIT_PARTS; i++) {
		u->parts[i] = PART_SNI_BLOCK;
		directus_parse_source(sources->v[i], u->collections[i], u->fields[i]);
		u->part_count++;
	}
}

static void set_polls(struct directus *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct directus_unit *u = d->units[i];
		unsigned own = d->conf.part_poll_s[u->parts[0]];

		u->poll_s = own ? own : d->conf.poll_s;
	}
}

int directus_add_units(struct directus *d)
{
	int err = add_topics(d);

	if (!err)
		err = add_lists(d);
	if (err)
		return err;
	set_sources(d);
	set_polls(d);
	return 0;
}

void directus_remove_unit(struct directus *d, size_t i)
{
	struct directus_unit *u = d->units[i];

	directus_brake_forget(d, u);
	memmove(d->units + i, d->units + i + 1, (--d->count - i) * sizeof(*d->units));
	directus_unit_free(u);
}

void directus_unit_fail(struct directus *d, struct directus_unit *u, const char *why)
{
	if (!strcmp(why, u->error))
		return;
	snprintf(u->error, sizeof(u->error), "%s", why);
	log_warning("collection of Directus cannot be read, its last good state stays error=\"%s\"",
		u->error);
	d->ops->on_alarm(d->arg, "directus", u->error);
}
