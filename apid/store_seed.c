/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "apid/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void label(struct db_batch *b, const char *topic, const char *id, const char *field)
{
	char text[512];

	snprintf(text, sizeof(text), "%s %s%s%s", topic, id, field ? " " : "", field ? field : "");
	db_label(b, text);
}

static const char *text_of(const cJSON *record, const char *name)
{
	return cJSON_GetStringValue(json_get(record, name));
}

/* The fields of a device that have no column of their own. */
static char *rest_of_device(const cJSON *record)
{
	cJSON *copy = cJSON_Duplicate(record, true);
	char *text;

	cJSON_DeleteItemFromObjectCaseSensitive(copy, "id");
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "tunnel");
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "addresses");
	text = copy ? json_format(copy) : NULL;
	cJSON_Delete(copy);
	return text;
}

/* A device that has a key was provisioned: its tunnel and addresses are those of wg_upsert. */
static void add_device(struct db_batch *b, const cJSON *record)
{
	const char *id = text_of(record, "id");
	char *rest = rest_of_device(record);

	label(b, "devices", id, NULL);
	db_add(b,
		"INSERT INTO devices (id, tunnel, record, origin) VALUES (?, ?, ?, 'seed') "
		"ON DUPLICATE KEY UPDATE record = VALUES(record), origin = 'seed', tunnel = "
		"IF(EXISTS (SELECT 1 FROM device_keys WHERE device = ?), tunnel, VALUES(tunnel))",
		"ssss", id, text_of(record, "tunnel"), rest ? rest : "", id);
	free(rest);
}

static void add_device_addresses(struct db_batch *b, const cJSON *record)
{
	const char *id = text_of(record, "id");
	const cJSON *item;
	int64_t position = 0;

	label(b, "devices", id, "addresses");
	cJSON_ArrayForEach (item, json_get(record, "addresses")) {
		char text[ADDR_STRLEN];
		struct addr a;

		if (addr_parse(item->valuestring, &a))
			continue;
		addr_format(&a, text);
		db_add(b,
			"INSERT INTO device_addresses (address, device, position) SELECT ?, ?, ? "
			"FROM DUAL "
			"WHERE NOT EXISTS (SELECT 1 FROM device_keys WHERE device = ?)",
			"ssis", text, id, position++, id);
	}
}

static void add_devices(struct db_batch *b, const cJSON *records)
{
	const cJSON *record;

	db_label(b, "devices");
	db_add(b, "UPDATE devices SET origin = 'stale' WHERE origin = 'seed'", "");
	cJSON_ArrayForEach (record, records)
		add_device(b, record);
	db_label(b, "devices");
	db_add(b,
		"DELETE r FROM records r JOIN devices d ON d.id = r.device WHERE d.origin = "
		"'stale'",
		"");
	db_add(b, "DELETE FROM devices WHERE origin = 'stale'", "");
	/* All first: devices may have exchanged their addresses. */
	db_add(b,
		"DELETE a FROM device_addresses a JOIN devices d ON d.id = a.device LEFT JOIN "
		"device_keys k ON k.device = a.device WHERE d.origin = 'seed' AND k.device IS NULL",
		"");
	cJSON_ArrayForEach (record, records)
		add_device_addresses(b, record);
}

/* A device whose key the seed gives has the seed's addresses, too. */
static void remove_device_keys(struct db_batch *b, const cJSON *records)
{
	const cJSON *record;

	cJSON_ArrayForEach (record, records) {
		label(b, "device_keys", text_of(record, "id"), "public_key");
		db_add(b, "DELETE FROM device_keys WHERE device = ?", "s", text_of(record, "id"));
	}
}

static void add_device_keys(struct db_batch *b, const cJSON *records)
{
	const cJSON *record;

	cJSON_ArrayForEach (record, records) {
		label(b, "device_keys", text_of(record, "id"), "public_key");
		db_add(b,
			"INSERT INTO device_keys (device, public_key, preshared_key) VALUES (?, ?, "
			"?)",
			"sss", text_of(record, "id"), text_of(record, "public_key"),
			text_of(record, "preshared_key"));
	}
}

static void add_topic(struct db_batch *b, const char *topic, const cJSON *records)
{
	const char *key = rec_key(topic_record(topic_find(topic)));
	const cJSON *record;

	db_label(b, topic);
	db_add(b, "UPDATE records SET origin = 'stale' WHERE topic = ? AND origin = 'seed'", "s",
		topic);
	cJSON_ArrayForEach (record, records) {
		char *text = json_format(record);

		label(b, topic, text_of(record, key), NULL);
		db_add(b,
			"INSERT INTO records (topic, id, record, origin) VALUES (?, ?, ?, 'seed') "
			"ON DUPLICATE KEY UPDATE record = VALUES(record), origin = 'seed'",
			"sss", topic, text_of(record, key), text ? text : "");
		free(text);
	}
	db_label(b, topic);
	if (topic_find(topic) == TOPIC_groups)
		db_add(b,
			"DELETE r FROM records r JOIN records g ON g.topic = 'groups' AND g.id = "
			"r.of_group WHERE g.origin = 'stale'",
			"");
	db_add(b, "DELETE FROM records WHERE topic = ? AND origin = 'stale'", "s", topic);
}

void store_seed_add(struct db_batch *b, const struct seed *seed)
{
	const cJSON *records;

	/* All first: devices may have exchanged their keys. */
	remove_device_keys(b, json_get(seed->root, "device_keys"));
	records = json_get(seed->root, "devices");
	if (records)
		add_devices(b, records);
	/* After the devices that they belong to. */
	records = json_get(seed->root, "device_keys");
	if (records)
		add_device_keys(b, records);
	cJSON_ArrayForEach (records, seed->root) {
		if (strcmp(records->string, "devices") && strcmp(records->string, "device_keys"))
			add_topic(b, records->string, records);
	}
	db_label(b, "meta");
	db_add(b, "REPLACE INTO meta (name, value) VALUES ('seed_sha256', ?)", "s", seed->digest);
	db_label(b, "");
}
