/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGE_MS = 2000 };

#define NEW_DEVICE "{\"active\":true}"

/* One store_change on its way: look, write, tell. */
struct change {
	struct store *s;
	char id[DEVICE_ID_MAX + 1];
	struct device_state wanted, before;
	char *record; /* what the device has besides */
	bool is_writing;
	size_t device, addresses, key_owner, address_owner; /* statements */
	void (*on_done)(void *arg, const struct store_result *result);
	void *arg;
};

static void tell(struct change *c, int status, const char *why, bool changed, enum entitlement e)
{
	struct store_result result = { .status = status,
		.why = why,
		.changed = changed,
		.before = &c->before,
		.entitlement = e };

	c->on_done(c->arg, &result);
	explicit_bzero(&c->wanted, sizeof(c->wanted));
	explicit_bzero(&c->before, sizeof(c->before));
	free(c->record);
	free(c);
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
	d->preshared_known = true; /* taking a change back restores this too */
	c->record = strdup(d->exists ? db_cell(device, 0, 1) : NEW_DEVICE);
	if (!c->record)
		return -ENOMEM;
	if (!d->exists)
		return 0;
	copy_text(d->tunnel, sizeof(d->tunnel), db_cell(device, 0, 0));
	copy_text(d->public_key, sizeof(d->public_key), db_cell(device, 0, 2));
	copy_text(d->preshared_key, sizeof(d->preshared_key), db_cell(device, 0, 3));
	for (size_t i = 0; i < addresses->n; i++)
		add_address(d, db_cell(addresses, i, 0));
	return 0;
}

static bool is_same(const struct device_state *a, const struct device_state *b)
{
	if (a->exists != b->exists)
		return false;
	if (!a->exists)
		return true;
	if (strcmp(a->tunnel, b->tunnel) || strcmp(a->public_key, b->public_key) ||
		strcmp(a->preshared_key, b->preshared_key) || a->address_count != b->address_count)
		return false;
	for (size_t i = 0; i < a->address_count; i++) {
		if (!addr_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	}
	return true;
}

static void add_upsert(struct change *c, struct db_batch *b)
{
	const struct device_state *d = &c->wanted;

	db_add(b,
		"INSERT INTO devices (id, tunnel, record) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE "
		"tunnel = VALUES(tunnel)",
		"sss", c->id, d->tunnel[0] ? d->tunnel : NULL, c->record);
	db_add(b, "DELETE FROM device_addresses WHERE device = ?", "s", c->id);
	for (size_t i = 0; i < d->address_count; i++) {
		char text[ADDR_STRLEN];

		addr_format(&d->addresses[i], text);
		db_add(b,
			"INSERT INTO device_addresses (address, device, position) VALUES (?, ?, ?)",
			"ssi", text, c->id, (int64_t)i);
	}
	db_add(b, "DELETE FROM device_keys WHERE device = ?", "s", c->id);
	if (d->public_key[0])
		db_add(b,
			"INSERT INTO device_keys (device, public_key, preshared_key) VALUES (?, ?, "
			"?)",
			"sss", c->id, d->public_key, d->preshared_key[0] ? d->preshared_key : NULL);
}

static void add_writes(struct change *c, struct db_batch *b)
{
	if (!c->wanted.exists)
		db_add(b, "DELETE FROM devices WHERE id = ?", "s", c->id);
	else
		add_upsert(c, b);
	store_audit_add(b, c->s->actor,
		!c->wanted.exists  ? "device_remove"
		: c->before.exists ? "device_change"
				   : "device_add",
		c->id);
	db_add_text(b, "COMMIT");
}

static cJSON *device_record(const struct change *c)
{
	const struct device_state *d = &c->wanted;
	char texts[8][ADDR_STRLEN];
	const char *list[8];

	for (size_t i = 0; i < d->address_count; i++) {
		addr_format(&d->addresses[i], texts[i]);
		list[i] = texts[i];
	}
	return store_device_record(
		c->id, d->tunnel[0] ? d->tunnel : NULL, list, d->address_count, c->record);
}

static int publish(struct change *c, cJSON *device)
{
	struct publisher *p = c->s->publisher;
	const struct device_state *d = &c->wanted;
	int r;

	if (!d->exists) {
		r = publisher_remove(p, TOPIC_device_keys, c->id);
		return r ? r : publisher_remove(p, TOPIC_devices, c->id);
	}
	r = publisher_set(p, TOPIC_devices, c->id, device);
	if (r)
		return r;
	if (!d->public_key[0])
		return publisher_remove(p, TOPIC_device_keys, c->id);
	return publisher_set(p, TOPIC_device_keys, c->id,
		store_key_record(
			c->id, d->public_key, d->preshared_key[0] ? d->preshared_key : NULL));
}

/* The database is as wanted. */
static void settle(struct change *c, bool changed)
{
	cJSON *device = c->wanted.exists ? device_record(c) : NULL;
	enum entitlement e = NOT_ENTITLED_INVALID;
	int r = 0;

	if (device)
		e = publisher_entitlement(c->s->publisher, device);
	if (changed && c->wanted.exists && !device)
		r = -ENOMEM;
	else if (changed)
		r = publish(c, device);
	else
		cJSON_Delete(device);
	if (r) {
		/* What the bus has is no longer what the database has: read all again. */
		log_error("device could not be published id=%s", c->id);
		db_reset(c->s->db);
	}
	tell(c, r, NULL, changed, e);
}

static void decide(struct change *c, struct db_batch *b)
{
	int r = take_before(c, b);

	if (r) {
		tell(c, r, NULL, false, NOT_ENTITLED_INVALID);
		return;
	}
	if (c->wanted.exists && !c->wanted.preshared_known && !c->wanted.preshared_key[0] &&
		!strcmp(c->wanted.public_key, c->before.public_key))
		memcpy(c->wanted.preshared_key, c->before.preshared_key,
			sizeof(c->wanted.preshared_key));
	if (c->wanted.exists && db_batch_rows(b, c->key_owner)->n) {
		tell(c, -EEXIST, "publicKey: another device's", false, NOT_ENTITLED_INVALID);
	} else if (c->wanted.exists && db_batch_rows(b, c->address_owner)->n) {
		tell(c, -EEXIST, "address: another device's", false, NOT_ENTITLED_INVALID);
	} else if (is_same(&c->wanted, &c->before)) {
		settle(c, false);
	} else {
		c->is_writing = true;
		add_writes(c, b);
	}
}

static void on_change(void *arg, struct db_batch *b, int status)
{
	struct change *c = arg;

	if (status) {
		log_notice("device could not be changed id=%s error=%s", c->id, strerror(-status));
		log_debug("device could not be changed error=%s", db_batch_error(b));
		/* Another process was quicker between our look and our write. */
		tell(c, status, status == -EEXIST ? "address or publicKey: another device's" : NULL,
			false, NOT_ENTITLED_INVALID);
	} else if (!c->is_writing) {
		decide(c, b);
	} else {
		settle(c, true);
	}
}

/* Addresses of other devices that are wanted: at most one per family. */
static void add_address_owner(struct change *c, struct db_batch *b)
{
	char texts[2][ADDR_STRLEN] = { "", "" };

	for (size_t i = 0; i < c->wanted.address_count && i < 2; i++)
		addr_format(&c->wanted.addresses[i], texts[i]);
	c->address_owner = db_add(b,
		"SELECT device FROM device_addresses WHERE address IN (?, ?) AND device <> ?",
		"sss", texts[0], texts[1], c->id);
}

void store_change(struct store *s, const char *id, const struct device_state *wanted,
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
	c->wanted = *wanted;
	c->on_done = on_done;
	c->arg = arg;
	copy_text(c->id, sizeof(c->id), id);
	db_add_text(b, "START TRANSACTION");
	c->device = db_add(b,
		"SELECT d.tunnel, d.record, k.public_key, k.preshared_key FROM devices d LEFT JOIN "
		"device_keys k ON k.device = d.id WHERE d.id = ? FOR UPDATE",
		"s", c->id);
	c->addresses = db_add(b,
		"SELECT address FROM device_addresses WHERE device = ? ORDER BY position FOR "
		"UPDATE",
		"s", c->id);
	c->key_owner =
		db_add(b, "SELECT device FROM device_keys WHERE public_key = ? AND device <> ?",
			"ss", c->wanted.public_key, c->id);
	add_address_owner(c, b);
	db_submit(s->db, b, CHANGE_MS, on_change, c);
}
