/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/store.h"

/* Inside of the store; for store*.c only. */
struct store {
	struct db *db;
	struct publisher *publisher;
	char *api_key; /* wiped when written */
	char *actor;
	void (*on_bad_seed)(void *arg);
	void *arg;
	struct seed *seed;    /* to be written, NULL = none */
	bool seed_always;     /* also when it is the one written last */
	unsigned seed_number; /* another with every seed that waits */
	bool is_reseeding;    /* a seed is being written at run time */
	bool is_started;      /* was ready once */
	struct api_keys keys;
	bool keys_known;
};

/* Adds the statements that read everything; store_load_take publishes what they gave. */
struct store_load {
	size_t devices, addresses, device_keys, records, api_keys;
};
void store_load_add(struct db_batch *b, struct store_load *l);
int store_load_take(struct store *s, const struct db_batch *b, const struct store_load *l);

/* The bus's record of a device: the stored record with id, tunnel and addresses. NULL: the stored
 * record is no JSON object, or no memory. */
cJSON *store_device_record(const char *id, const char *tunnel, const char *const *addresses,
	size_t n, const char *record);
cJSON *store_key_record(const char *id, const char *public_key, const char *preshared_key);

/* Adds the statements that write a seed, without the transaction around them. */
void store_seed_add(struct db_batch *b, const struct seed *seed);

/* One row of the audit. */
void store_audit_add(
	struct db_batch *b, const char *actor, const char *action, const char *subject);
