/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api_keys.h"
#include "apid/bus.h"
#include "apid/db.h"
#include "apid/provision_request.h"
#include "apid/seed.h"

/*
 * What apid keeps in MariaDB: reads it whole whenever the connection stands, publishes it, and
 * changes it. Every change is one transaction, published after its commit.
 */
struct store;

struct store_options {
	struct db_options db; /* its callbacks are the store's own */
	const char *api_key;  /* NULL = none; becomes the key named `file` */
	const char *actor;    /* of the audit rows */
	/* The seed does not fit what the database holds at the first start: nothing was changed. */
	void (*on_bad_seed)(void *arg);
	void *arg;
};

/* seed may be NULL; taken over. It is written once the database is ready if it differs from the one
 * that was written last. */
struct store *store_open(uv_loop_t *loop, struct publisher *p, const struct store_options *options,
	struct seed *seed);
void store_close(struct store *s);
void store_free(struct store *s); /* after the loop has ended */
/* Writes the seed, whether it has changed or not; taken over. Of several that come while one is
 * being written only the last is written. */
void store_seed(struct store *s, struct seed *seed);
/* Is the database there, with its set-up done? */
bool store_is_ready(const struct store *s);
/* Another first key; written with the next set-up, which begins now when it differs. */
void store_set_api_key(struct store *s, const char *api_key);
/* NULL until they are known: the database has not answered yet. */
const struct api_keys *store_api_keys(const struct store *s);

/* A device as far as provisioning is about it. */
struct device_state {
	bool exists;
	char tunnel[33]; /* "" = none */
	struct addr addresses[8];
	size_t address_count;
	char public_key[PUBLIC_KEY_LEN + 1];	/* "" = none */
	char preshared_key[PUBLIC_KEY_LEN + 1]; /* "" = none */
	bool preshared_known; /* wanted: with the same public key "" means none, not the present one
			       */
};

struct store_result {
	int status; /* 0; -EEXIST: why says whose; -ETIMEDOUT and others: try again later */
	const char *why;
	bool changed;			   /* something was written */
	const struct device_state *before; /* status 0 */
	enum entitlement entitlement;	   /* status 0, the device exists now */
};

/*
 * Makes the device as wanted (exists false: removes it); the fields that provisioning does not know
 * stay. A new device is active. The preshared key stays only with the same public key, unless
 * wanted gives one or knows that there is none. on_done is called once, from the loop.
 */
void store_change(struct store *s, const char *id, const struct device_state *wanted,
	void (*on_done)(void *arg, const struct store_result *result), void *arg);
