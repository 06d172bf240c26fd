/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES_MAX = 8 };

#define SELECT_DEVICES                                                                             \
	"SELECT d.id, d.tunnel, d.record, k.public_key, k.preshared_key FROM devices d LEFT JOIN " \
	"device_keys k ON k.device = d.id"

void store_load_add(struct db_batch *b, struct store_load *l)
{
	db_add_text(b, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
	l->seq = db_add(b, "SELECT seq FROM change_seq", "");
	l->devices = db_add(b, SELECT_DEVICES, "");
	l->addresses = db_add(
		b, "SELECT device, address FROM device_addresses ORDER BY device, position", "");
	l->records = db_add(b, "SELECT topic, id, record FROM records", "");
	l->api_keys = store_api_keys_add(b);
	accounts_add(b, &l->accounts, true);
	db_add_text(b, "COMMIT");
}

/* ---- devices ---- */

/* The device of a row of SELECT_DEVICES, with addresses [at, end) of the others. */
static int take_state(struct device_state *d, const struct db_rows *devices, size_t i,
	const struct db_rows *addresses, size_t column, size_t at)
{
	const char *id = db_cell(devices, i, 0);
	const char *const *texts = (const char *const *)&devices->cells[i * devices->columns];

	*d = (struct device_state){ .exists = true };
	snprintf(d->tunnel, sizeof(d->tunnel), "%s", texts[1] ? texts[1] : "");
	snprintf(d->public_key, sizeof(d->public_key), "%s", texts[3] ? texts[3] : "");
	snprintf(d->preshared_key, sizeof(d->preshared_key), "%s", texts[4] ? texts[4] : "");
	for (; at < addresses->n && d->address_count < ADDRESSES_MAX; at++) {
		if (column && strcmp(db_cell(addresses, at, 0), id))
			break;
		if (!addr_parse(db_cell(addresses, at, column), &d->addresses[d->address_count]))
			d->address_count++;
	}
	d->record = strdup(texts[2]);
	return d->record ? 0 : -ENOMEM;
}

void store_device_fini(struct device_state *d)
{
	free(d->record);
	explicit_bzero(d, sizeof(*d));
}

/* Text of the tables: the device as the API shows it, and its key. */
static char *device_text(const char *id, const struct device_state *d, char **key)
{
	cJSON *json = store_device_json(id, d), *k = NULL;
	char *text = json ? json_format(json) : NULL;

	*key = NULL;
	cJSON_Delete(json);
	if (!text || !d->public_key[0])
		return text;
	k = cJSON_CreateObject();
	if (k && cJSON_AddStringToObject(k, "id", id) &&
		cJSON_AddStringToObject(k, "public_key", d->public_key) &&
		(!d->preshared_key[0] ||
			cJSON_AddStringToObject(k, "preshared_key", d->preshared_key)))
		*key = json_format(k);
	cJSON_Delete(k);
	if (!*key) {
		free(text);
		return NULL;
	}
	return text;
}

static int take_device(struct table *tables, const char *id, const struct device_state *d)
{
	char *key, *text = device_text(id, d, &key);
	int r;

	if (!text) {
		log_error("device is unusable in the database id=%s", id);
		return 0;
	}
	r = table_add(&tables[TOPIC_devices], id, text);
	if (!r && key)
		r = table_add(&tables[TOPIC_device_keys], id, key);
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	free(text);
	return r;
}

static int take_devices(
	struct table *tables, const struct db_rows *devices, const struct db_rows *addresses)
{
	struct hmap first; /* device → its first row among the addresses, plus one */
	int r = 0;

	hmap_init(&first, NULL);
	for (size_t i = addresses->n; i-- && !r;)
		r = hmap_set_str(&first, db_cell(addresses, i, 0), (void *)(uintptr_t)(i + 1));
	for (size_t i = 0; i < devices->n && !r; i++) {
		const char *id = db_cell(devices, i, 0);
		uintptr_t at = (uintptr_t)hmap_find_str(&first, id);
		struct device_state d;

		r = take_state(&d, devices, i, addresses, 1, at ? at - 1 : addresses->n);
		if (!r)
			r = take_device(tables, id, &d);
		store_device_fini(&d);
	}
	hmap_fini(&first);
	return r;
}

void store_device_add(struct db_batch *b, const char *id, struct store_device_rows *rows)
{
	rows->device = db_add(b, SELECT_DEVICES " WHERE d.id = ?", "s", id);
	rows->addresses = db_add(b,
		"SELECT address FROM device_addresses WHERE device = ? ORDER BY position", "s", id);
}

int store_device_state(
	const struct db_batch *b, const struct store_device_rows *rows, struct device_state *out)
{
	const struct db_rows *devices = db_batch_rows(b, rows->device);

	*out = (struct device_state){ 0 };
	return devices->n ? take_state(out, devices, 0, db_batch_rows(b, rows->addresses), 0, 0)
			  : 0;
}

int store_device_copy(const struct device_state *from, struct device_state *to)
{
	*to = *from;
	to->record = from->record ? strdup(from->record) : NULL;
	return !from->record || to->record ? 0 : -ENOMEM;
}

char *store_device_take(
	const struct db_batch *b, const char *id, const struct store_device_rows *rows, char **key)
{
	const struct db_rows *devices = db_batch_rows(b, rows->device);
	struct device_state d;
	char *text = NULL;

	*key = NULL;
	if (!devices->n)
		return NULL;
	if (!take_state(&d, devices, 0, db_batch_rows(b, rows->addresses), 0, 0))
		text = device_text(id, &d, key);
	store_device_fini(&d);
	return text;
}

/* ---- the rest ---- */

static int take_records(struct table *tables, const struct db_rows *rows)
{
	int r = 0;

	for (size_t i = 0; i < rows->n && !r; i++) {
		int table = store_table_find(db_cell(rows, i, 0));
		const char *id = db_cell(rows, i, 1);

		r = table == TABLES ? -EINVAL : table_add(&tables[table], id, db_cell(rows, i, 2));
		if (r != -EINVAL)
			continue;
		log_error("record is unusable in the database topic=%s id=%s", db_cell(rows, i, 0),
			id);
		r = 0;
	}
	return r;
}

size_t store_api_keys_add(struct db_batch *b)
{
	return db_add(b, "SELECT name, hash FROM api_keys WHERE revoked_at IS NULL", "");
}

int store_api_keys_take(struct store *s, const struct db_batch *b, size_t statement)
{
	const struct db_rows *rows = db_batch_rows(b, statement);
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

static int take_tables(struct table *tables, const struct db_batch *b, const struct store_load *l)
{
	int r = take_devices(tables, db_batch_rows(b, l->devices), db_batch_rows(b, l->addresses));

	if (!r)
		r = take_records(tables, db_batch_rows(b, l->records));
	for (int i = 0; i < TABLES; i++)
		table_sort(&tables[i]);
	return r;
}

int store_load_take(struct store *s, const struct db_batch *b, const struct store_load *l)
{
	const struct db_rows *seq = db_batch_rows(b, l->seq);
	struct table *tables = calloc(TABLES, sizeof(*tables));
	int r = tables ? store_api_keys_take(s, b, l->api_keys) : -ENOMEM;

	for (int i = 0; tables && i < TABLES; i++)
		table_init(&tables[i]);
	if (!r)
		r = accounts_take(&s->accounts, b, &l->accounts);
	if (!r)
		r = take_tables(tables, b, l);
	for (int i = 0; tables && i < TABLES; i++) {
		table_fini(r ? &tables[i] : &s->tables[i]);
		if (!r)
			s->tables[i] = tables[i];
	}
	free(tables);
	if (r)
		return r;
	s->seq = seq->n ? atoll(db_cell(seq, 0, 0)) : 0;
	s->is_loaded = true;
	publisher_load_settings(s->publisher, &s->tables[TOPIC_settings]);
	r = store_publish_all(s);
	if (!r && s->on_loaded)
		s->on_loaded(s->arg);
	return r;
}
