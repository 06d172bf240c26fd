/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "apid/store_names.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One store_change on its way: look, decide, write, tell. */
struct change {
	struct store *s;
	char id[DEVICE_ID_MAX + 1];
	struct store_actor by;
	struct device_state wanted, before;
	enum { CHANGE_LOOK, CHANGE_CHECK, CHANGE_WRITE } turn;
	size_t device, addresses, key_owner, address_owner, number; /* statements */
	struct store_names names;
	store_decide_device decide;
	void (*on_done)(void *arg, const struct store_result *result);
	void *arg;
};

static void tell(struct change *c, const struct store_result *result)
{
	struct store_result r = *result;

	r.before = &c->before;
	c->on_done(c->arg, &r);
	store_names_fini(&c->names);
	store_device_fini(&c->wanted);
	store_device_fini(&c->before);
	free(c);
}

static void tell_failure(struct change *c, int status, const char *why)
{
	tell(c, &(struct store_result){ .status = status, .why = why });
}

static void copy_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static bool add_address(struct device_state *d, const char *text)
{
	size_t max = sizeof(d->addresses) / sizeof(d->addresses[0]);

	return d->address_count < max && !addr_parse(text, &d->addresses[d->address_count]) &&
	       ++d->address_count;
}

static int take_before(struct change *c, const struct db_batch *b)
{
	const struct db_rows *device = db_batch_rows(b, c->device);
	const struct db_rows *addresses = db_batch_rows(b, c->addresses);
	struct device_state *d = &c->before;

	d->exists = device->n;
	if (!d->exists)
		return 0;
	copy_text(d->tunnel, sizeof(d->tunnel), db_cell(device, 0, 0));
	copy_text(d->public_key, sizeof(d->public_key), db_cell(device, 0, 2));
	copy_text(d->preshared_key, sizeof(d->preshared_key), db_cell(device, 0, 3));
	for (size_t i = 0; i < addresses->n; i++)
		add_address(d, db_cell(addresses, i, 0));
	d->record = strdup(db_cell(device, 0, 1));
	c->wanted = *d;
	c->wanted.record = strdup(db_cell(device, 0, 1));
	return d->record && c->wanted.record ? 0 : -ENOMEM;
}

bool store_device_is_same(const struct device_state *a, const struct device_state *b)
{
	if (a->exists != b->exists)
		return false;
	if (!a->exists)
		return true;
	if (strcmp(a->tunnel, b->tunnel) || strcmp(a->public_key, b->public_key) ||
		strcmp(a->preshared_key, b->preshared_key) ||
		a->address_count != b->address_count || !a->record != !b->record ||
		(a->record && strcmp(a->record, b->record)))
		return false;
	for (size_t i = 0; i < a->address_count; i++) {
		if (!addr_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	}
	return true;
}

static void add_upsert(struct db_batch *b, const char *id, const struct device_state *d)
{
	db_add(b,
		"INSERT INTO devices (id, tunnel, record) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE "
		"tunnel = VALUES(tunnel), record = VALUES(record)",
		"sss", id, d->tunnel[0] ? d->tunnel : NULL,
		d->record ? d->record : "{\"active\":true}");
	db_add(b, "DELETE FROM device_addresses WHERE device = ?", "s", id);
	for (size_t i = 0; i < d->address_count; i++) {
		char text[ADDR_STRLEN];

		addr_format(&d->addresses[i], text);
		db_add(b,
			"INSERT INTO device_addresses (address, device, position) VALUES (?, ?, ?)",
			"ssi", text, id, (int64_t)i);
	}
	db_add(b, "DELETE FROM device_keys WHERE device = ?", "s", id);
	if (d->public_key[0])
		db_add(b,
			"INSERT INTO device_keys (device, public_key, preshared_key) VALUES (?, ?, "
			"?)",
			"sss", id, d->public_key, d->preshared_key[0] ? d->preshared_key : NULL);
}

static char *audit_text(const char *id, const struct device_state *d)
{
	cJSON *json = d->exists ? store_device_json(id, d) : NULL;
	char *text = json ? json_format(json) : NULL;

	cJSON_Delete(json);
	return text;
}

void store_device_write(struct db_batch *b, const char *id, const struct store_actor *by,
	const struct device_state *before, const struct device_state *wanted)
{
	char *old = audit_text(id, before), *new = audit_text(id, wanted);

	if (!wanted->exists) {
		accounts_device_end_add(b, id);
		store_belongings_remove(b, TOPIC_devices, id, by);
		db_add(b, "DELETE FROM devices WHERE id = ?", "s", id);
	} else {
		add_upsert(b, id, wanted);
	}
	write_audit(b, by,
		!wanted->exists	 ? "device_remove"
		: before->exists ? "device_change"
				 : "device_add",
		id, old, new);
	write_note(b, "devices", id);
	free(old);
	free(new);
}

static void add_writes(struct change *c, struct db_batch *b)
{
	store_device_write(b, c->id, &c->by, &c->before, &c->wanted);
	c->number = write_commit(b);
}

/* Into the tables, and onto the bus. */
int store_device_apply(struct store *s, const char *id, const struct device_state *d)
{
	cJSON *key = NULL;
	char *text = audit_text(id, d), *key_text = NULL;
	int r = d->exists && !text ? -ENOMEM : 0;

	if (!r && d->exists && d->public_key[0]) {
		key = cJSON_CreateObject();
		cJSON_AddStringToObject(key, "id", id);
		cJSON_AddStringToObject(key, "public_key", d->public_key);
		if (d->preshared_key[0])
			cJSON_AddStringToObject(key, "preshared_key", d->preshared_key);
		key_text = json_format(key);
		r = key_text ? 0 : -ENOMEM;
	}
	if (!r)
		r = store_apply(s, TOPIC_devices, id, text);
	if (!r)
		r = store_apply(s, TOPIC_device_keys, id, key_text);
	if (!r && !d->exists)
		r = store_belongings_apply(s, TOPIC_devices, id);
	if (key_text)
		explicit_bzero(key_text, strlen(key_text));
	cJSON_Delete(key);
	free(key_text);
	free(text);
	return r;
}

/* The database is as wanted. */
static void settle(struct change *c, const struct db_batch *b, bool changed)
{
	struct store_result result = { .changed = changed, .entitlement = NOT_ENTITLED_INVALID };

	/* What is the same was written by some change before this one, which is none. */
	result.seq = write_number(b, c->number) - !changed;
	if (changed)
		result.status = store_device_apply(c->s, c->id, &c->wanted);
	if (result.status) {
		/* What the bus has is no longer what the database has: read all again. */
		log_error("device could not be published id=%s", c->id);
		db_reset(c->s->db);
	} else if (changed) {
		store_wrote(c->s, result.seq);
	}
	if (c->wanted.exists)
		result.entitlement = store_entitlement(c->s, c->id);
	tell(c, &result);
}

/* Other devices that have the wanted key or one of the addresses. */
static void add_owners(struct change *c, struct db_batch *b)
{
	char texts[2][ADDR_STRLEN] = { "", "" };

	for (size_t i = 0; i < c->wanted.address_count && i < 2; i++)
		addr_format(&c->wanted.addresses[i], texts[i]);
	c->key_owner =
		db_add(b, "SELECT device FROM device_keys WHERE public_key = ? AND device <> ?",
			"ss", c->wanted.public_key, c->id);
	c->address_owner = db_add(b,
		"SELECT device FROM device_addresses WHERE address IN (?, ?) AND device <> ?",
		"sss", texts[0], texts[1], c->id);
}

static void decide(struct change *c, struct db_batch *b)
{
	int r = take_before(c, b);

	if (!r)
		r = c->decide(c->arg, &c->before, &c->wanted);
	if (r) {
		tell_failure(c, r, NULL);
	} else if (store_device_is_same(&c->wanted, &c->before)) {
		settle(c, b, false);
	} else {
		c->turn = CHANGE_CHECK;
		add_owners(c, b);
		r = c->wanted.exists && c->wanted.record
			    ? store_names_add(&c->names, c->s, b, TOPIC_devices, c->wanted.record)
			    : 0;
		if (r) {
			db_reset(c->s->db); /* statements were added */
			tell_failure(c, r, NULL);
		}
	}
}

static void on_change(void *arg, struct db_batch *b, int status)
{
	struct change *c = arg;

	if (status) {
		log_notice("device could not be changed id=%s error=%s", c->id, strerror(-status));
		log_debug("device could not be changed error=%s", db_batch_error(b));
		tell_failure(c, status,
			status == -EEXIST ? "address or publicKey: another device's" : NULL);
		return;
	}
	switch (c->turn) {
	case CHANGE_LOOK:
		decide(c, b);
		break;
	case CHANGE_CHECK:
		if (c->wanted.exists && db_batch_rows(b, c->key_owner)->n) {
			tell_failure(c, -EEXIST, "publicKey: another device's");
		} else if (c->wanted.exists && db_batch_rows(b, c->address_owner)->n) {
			tell_failure(c, -EEXIST, "address: another device's");
		} else if (store_names_gone(&c->names, b)) {
			tell_failure(c, -EINVAL, store_names_gone(&c->names, b));
		} else {
			c->turn = CHANGE_WRITE;
			add_writes(c, b);
		}
		break;
	case CHANGE_WRITE:
		settle(c, b, true);
		break;
	}
}

static void on_restart(void *arg)
{
	struct change *c = arg;

	store_device_fini(&c->wanted);
	store_device_fini(&c->before);
	c->wanted = c->before = (struct device_state){ 0 };
	store_names_fini(&c->names);
	store_names_init(&c->names);
	c->turn = CHANGE_LOOK;
}

void store_change(struct store *s, const char *id, const struct store_actor *by,
	store_decide_device decide_device,
	void (*on_done)(void *arg, const struct store_result *result), void *arg)
{
	struct change *c = calloc(1, sizeof(*c));
	struct db_batch *b = c ? db_batch_new() : NULL;

	if (!b) {
		struct store_result result = { .status = -ENOMEM };

		free(c);
		on_done(arg, &result);
		return;
	}
	c->s = s;
	c->by = *by;
	c->decide = decide_device;
	c->on_done = on_done;
	c->arg = arg;
	store_names_init(&c->names);
	copy_text(c->id, sizeof(c->id), id);
	write_begin(b);
	c->device = db_add(b,
		"SELECT d.tunnel, d.record, k.public_key, k.preshared_key FROM devices d LEFT JOIN "
		"device_keys k ON k.device = d.id WHERE d.id = ?",
		"s", c->id);
	c->addresses =
		db_add(b, "SELECT address FROM device_addresses WHERE device = ? ORDER BY position",
			"s", c->id);
	c->number = db_add(b, "SELECT seq FROM change_seq", "");
	db_batch_set_restart(b, on_restart);
	store_submit(s, b, on_change, c);
}
