/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "apid/topics.h"
#include "common/hmap.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES_MAX = 8 };

void store_load_add(struct db_batch *b, struct store_load *l)
{
	db_add_text(b, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
	l->devices = db_add(b, "SELECT id, tunnel, record FROM devices ORDER BY id", "");
	l->addresses = db_add(
		b, "SELECT device, address FROM device_addresses ORDER BY device, position", "");
	l->device_keys = db_add(b, "SELECT device, public_key, preshared_key FROM device_keys", "");
	l->records = db_add(b, "SELECT topic, id, record FROM records", "");
	l->api_keys = db_add(b, "SELECT name, hash FROM api_keys WHERE revoked_at IS NULL", "");
	db_add_text(b, "COMMIT");
}

static bool add_string(cJSON *object, const char *name, const char *value)
{
	return cJSON_AddStringToObject(object, name, value);
}

static bool add_addresses(cJSON *object, const char *const *addresses, size_t n)
{
	cJSON *list = cJSON_AddArrayToObject(object, "addresses");

	for (size_t i = 0; list && i < n; i++) {
		cJSON *item = cJSON_CreateString(addresses[i]);

		if (!item || !cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			return false;
		}
	}
	return list;
}

cJSON *store_device_record(const char *id, const char *tunnel, const char *const *addresses,
	size_t n, const char *record)
{
	cJSON *stored = json_parse(record, strlen(record)), *out = cJSON_CreateObject();
	bool good = cJSON_IsObject(stored) && out && add_string(out, "id", id) &&
		    (!tunnel || add_string(out, "tunnel", tunnel)) &&
		    add_addresses(out, addresses, n);

	while (good && stored->child) {
		cJSON *field = cJSON_DetachItemViaPointer(stored, stored->child);

		good = cJSON_AddItemToObject(out, field->string, field);
	}
	cJSON_Delete(stored);
	if (!good) {
		cJSON_Delete(out);
		return NULL;
	}
	return out;
}

cJSON *store_key_record(const char *id, const char *public_key, const char *preshared_key)
{
	cJSON *out = cJSON_CreateObject();

	if (out && add_string(out, "id", id) && add_string(out, "public_key", public_key) &&
		(!preshared_key || add_string(out, "preshared_key", preshared_key)))
		return out;
	cJSON_Delete(out);
	return NULL;
}

/* Both lists are sorted by the device's id, in the same order. */
static int take_devices(
	struct store *s, const struct db_rows *devices, const struct db_rows *addresses)
{
	struct hmap first; /* device → its first row among the addresses, plus one */
	int r = 0;

	hmap_init(&first, NULL);
	for (size_t i = addresses->n; i-- && !r;)
		r = hmap_set_str(&first, db_cell(addresses, i, 0), (void *)(uintptr_t)(i + 1));
	for (size_t i = 0; i < devices->n && !r; i++) {
		const char *id = db_cell(devices, i, 0), *list[ADDRESSES_MAX];
		uintptr_t at = (uintptr_t)hmap_find_str(&first, id);
		size_t n = 0;
		cJSON *record;

		for (; at && at <= addresses->n && n < ADDRESSES_MAX &&
			!strcmp(db_cell(addresses, at - 1, 0), id);
			at++)
			list[n++] = db_cell(addresses, at - 1, 1);
		record = store_device_record(
			id, db_cell(devices, i, 1), list, n, db_cell(devices, i, 2));
		if (record)
			r = publisher_load_add(s->publisher, TOPIC_devices, id, record);
		else
			log_error("device is unusable in the database id=%s", id);
	}
	hmap_fini(&first);
	return r;
}

static int take_keys(struct store *s, const struct db_rows *rows)
{
	int r = 0;

	for (size_t i = 0; i < rows->n && !r; i++) {
		const char *id = db_cell(rows, i, 0);

		r = publisher_load_add(s->publisher, TOPIC_device_keys, id,
			store_key_record(id, db_cell(rows, i, 1), db_cell(rows, i, 2)));
	}
	return r;
}

static int take_records(struct store *s, const struct db_rows *rows)
{
	int r = 0;

	for (size_t i = 0; i < rows->n && !r; i++) {
		enum bus_topic topic = topic_find(db_cell(rows, i, 0));
		const char *id = db_cell(rows, i, 1);
		cJSON *record = json_parse(db_cell(rows, i, 2), db_cell_len(rows, i, 2));

		if (topic != BUS_TOPICS && record) {
			r = publisher_load_add(s->publisher, topic, id, record);
		} else {
			log_error("record is unusable in the database topic=%s id=%s",
				db_cell(rows, i, 0), id);
			cJSON_Delete(record);
		}
	}
	return r;
}

static int take_api_keys(struct store *s, const struct db_rows *rows)
{
	struct api_keys keys = { 0 };
	int r = 0;

	for (size_t i = 0; i < rows->n && !r; i++)
		r = api_keys_add(
			&keys, db_cell(rows, i, 0), db_cell(rows, i, 1), db_cell_len(rows, i, 1));
	if (r) {
		api_keys_fini(&keys);
		return r;
	}
	api_keys_fini(&s->keys);
	s->keys = keys;
	s->keys_known = true;
	return 0;
}

int store_load_take(struct store *s, const struct db_batch *b, const struct store_load *l)
{
	int r = take_api_keys(s, db_batch_rows(b, l->api_keys));

	if (!r)
		r = take_devices(s, db_batch_rows(b, l->devices), db_batch_rows(b, l->addresses));
	if (!r)
		r = take_keys(s, db_batch_rows(b, l->device_keys));
	if (!r)
		r = take_records(s, db_batch_rows(b, l->records));
	if (r) {
		publisher_load_cancel(s->publisher);
		return r;
	}
	return publisher_load_end(s->publisher);
}
