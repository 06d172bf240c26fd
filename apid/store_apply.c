/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- a device as the API shows it ---- */

static bool add_addresses(cJSON *object, const struct device_state *d)
{
	cJSON *list = cJSON_AddArrayToObject(object, "addresses");

	for (size_t i = 0; list && i < d->address_count; i++) {
		char text[ADDR_STRLEN];
		cJSON *item;

		addr_format(&d->addresses[i], text);
		item = cJSON_CreateString(text);
		if (!item || !cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			return false;
		}
	}
	return list;
}

#define NEW_DEVICE "{\"active\":true}"

cJSON *store_device_json(const char *id, const struct device_state *d)
{
	const char *record = d->record ? d->record : NEW_DEVICE;
	cJSON *stored = d->exists ? json_parse(record, strlen(record)) : NULL;
	cJSON *out = cJSON_CreateObject();
	bool good =
		cJSON_IsObject(stored) && out && cJSON_AddStringToObject(out, "id", id) &&
		(!d->tunnel[0] || cJSON_AddStringToObject(out, "tunnel", d->tunnel)) &&
		add_addresses(out, d) &&
		(!d->public_key[0] || cJSON_AddStringToObject(out, "public_key", d->public_key));

	while (good && stored && stored->child) {
		cJSON *field = cJSON_DetachItemViaPointer(stored, stored->child);

		good = cJSON_AddItemToObject(out, field->string, field);
	}
	cJSON_Delete(stored);
	if (good)
		return out;
	cJSON_Delete(out);
	return NULL;
}

/* ---- what the bus gets ---- */

static bool put(cJSON *object, const char *name, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	return value && cJSON_AddItemToObject(object, name, value);
}

/* A user who is suspended or expired takes the devices along. */
static bool add_user(const struct store *s, cJSON *device)
{
	const char *user = cJSON_GetStringValue(json_get(device, "user"));
	const struct table_row *row = user ? table_find(&s->tables[TABLE_users], user) : NULL;
	cJSON *json = row ? json_parse(row->text, row->len) : NULL;
	int64_t until, own;
	bool good = true;

	if (!row)
		return true;
	if (cJSON_IsFalse(json_get(json, "active")))
		good = put(device, "active", cJSON_CreateFalse());
	if (json_get_int(json_get(json, "expires_at"), &until) &&
		(!json_get_int(json_get(device, "expires_at"), &own) || own > until))
		good = good && put(device, "expires_at", cJSON_CreateNumber((double)until));
	cJSON_Delete(json);
	return json && good;
}

static cJSON *record_of(const struct store *s, enum bus_topic topic, const struct table_row *row)
{
	cJSON *record = json_parse(row->text, row->len);

	if (topic != TOPIC_devices || !record)
		return record;
	cJSON_DeleteItemFromObjectCaseSensitive(record, "public_key");
	if (add_user(s, record))
		return record;
	cJSON_Delete(record);
	return NULL;
}

static cJSON *make_record(void *arg, enum bus_topic topic, const struct table_row *row)
{
	return record_of(arg, topic, row);
}

enum entitlement store_entitlement(const struct store *s, const char *id)
{
	const struct table_row *row = table_find(&s->tables[TOPIC_devices], id);
	/* One of a group that is not there is closed, as daemons see it. */
	bool is_good = row && (!row->group || table_find(&s->tables[TOPIC_groups], row->group));
	cJSON *record = is_good ? record_of(s, TOPIC_devices, row) : NULL;
	enum entitlement e =
		record ? publisher_entitlement(s->publisher, record) : NOT_ENTITLED_INVALID;

	cJSON_Delete(record);
	return e;
}

static int publish(struct store *s, enum bus_topic topic, const char *id)
{
	const struct table_row *row = table_find(&s->tables[topic], id);
	cJSON *record = row ? record_of(s, topic, row) : NULL;

	if (!row)
		return publisher_remove(s->publisher, topic, id);
	return record ? publisher_set(s->publisher, topic, id, record) : -ENOMEM;
}

static int publish_devices_of(struct store *s, const char *user)
{
	const struct table *devices = &s->tables[TOPIC_devices];
	int r = 0;

	for (size_t i = 0; i < devices->n && !r; i++) {
		const struct table_row *row = devices->sorted[i];

		if (row->user && !strcmp(row->user, user))
			r = publish(s, TOPIC_devices, row->id);
	}
	return r;
}

/* ---- which device has an address ---- */

/* With by: notes the row's addresses; without: forgets them. */
static int note_addresses(struct store *s, const struct table_row *row, bool is_there)
{
	cJSON *json = json_parse(row->text, row->len);
	const cJSON *item;
	int r = json ? 0 : -ENOMEM;

	cJSON_ArrayForEach (item, json_get(json, "addresses")) {
		const char *holder;
		struct addr a;
		char *id;

		if (r || addr_parse(item->valuestring, &a))
			continue;
		holder = hmap_find(&s->device_at, &a, sizeof(a));
		if (!is_there && holder && !strcmp(holder, row->id)) {
			hmap_remove(&s->device_at, &a, sizeof(a));
		} else if (is_there) {
			id = strdup(row->id);
			r = id ? hmap_set(&s->device_at, &a, sizeof(a), id) : -ENOMEM;
			if (r)
				free(id);
		}
	}
	cJSON_Delete(json);
	return r;
}

/* ---- changes ---- */

int store_apply(struct store *s, int table, const char *id, const char *text)
{
	struct table *t = &s->tables[table];
	const struct table_row *row = table_find(t, id);
	int r = 0;

	if (row && text && !strcmp(row->text, text))
		return 0;
	if (row && table == TOPIC_devices)
		r = note_addresses(s, row, false);
	if (!r && text)
		r = table_set(t, id, text);
	else if (!r && !table_remove(t, id))
		return 0;
	/* Another device may get this id. */
	if (!r && !text && table == TOPIC_devices)
		accounts_device_end(&s->accounts, id, NULL);
	row = table_find(t, id);
	if (!r && row && table == TOPIC_devices)
		r = note_addresses(s, row, true);
	if (!r)
		r = table == TABLE_users ? publish_devices_of(s, id)
					 : publish(s, (enum bus_topic)table, id);
	if (!r && s->on_change)
		s->on_change(s->arg, store_table_name(table), id);
	return r;
}

int store_publish_all(struct store *s)
{
	const struct table *devices = &s->tables[TOPIC_devices];
	int r = 0;

	hmap_clear(&s->device_at);
	for (size_t i = 0; i < devices->n && !r; i++)
		r = note_addresses(s, devices->sorted[i], true);
	if (r || !s->lease.number)
		return r;
	return publisher_publish_all(s->publisher, s->tables, make_record, s, s->seq);
}
