/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/lease.h"
#include "apid/store.h"
#include "common/timer.h"

enum { STORE_READERS = 2, STORE_MS = 2000, STORE_SETUP_MS = 60000 };

/* Inside of the store; for store*.c only. */
struct store {
	uv_loop_t *loop;
	/* Writes, and follows: so that what is followed is never older than what was written. */
	struct db *db;
	struct db *readers[STORE_READERS];
	unsigned next_reader;
	struct publisher *publisher;
	char *api_key; /* wiped when written */
	void (*on_bad_seed)(void *arg);
	void (*on_loaded)(void *arg);
	void (*on_change)(void *arg, const char *topic, const char *id);
	void *arg;
	struct seed *seed;    /* to be written, NULL = none */
	bool seed_always;     /* also when it is the one written last */
	unsigned seed_number; /* another with every seed that waits */
	bool is_reseeding;    /* a seed is being written at run time */
	bool is_started;      /* was ready once */
	bool is_loaded;

	struct timer follow;
	bool is_following;
	struct lease lease; /* who publishes */
	int64_t seq;	    /* the change that the tables are at */

	struct table tables[TABLES];
	struct hmap device_at; /* address → its row's id, a copy */
	struct accounts accounts;
	struct api_keys keys;
	bool keys_known;
};

/* Adds the statements that read everything; store_load_take takes what they gave into the tables.
 */
struct store_load {
	size_t seq, devices, addresses, records, api_keys;
	struct accounts_load accounts;
};
void store_load_add(struct db_batch *b, struct store_load *l);
int store_load_take(struct store *s, const struct db_batch *b, const struct store_load *l);

/* Makes a device's text of what store_device_add's statements gave (NULL when there is
 * none or the record is unusable; *key gets the record of topic device_keys or NULL). */
char *store_device_take(
	const struct db_batch *b, const char *id, const struct store_device_rows *rows, char **key);

/* Adds the statements that make the device what is wanted, with note and audit; store_device_apply
 * takes it into the tables and onto the bus, once that is committed. */
void store_device_write(struct db_batch *b, const char *id, const struct store_actor *by,
	const struct device_state *before, const struct device_state *wanted);
int store_device_apply(struct store *s, const char *id, const struct device_state *wanted);

/* What is about a device or a group alone (overrides, preferences, its own DNS rules, answers) goes
 * with it, so that the next one of that id inherits nothing: statements, with note and audit, and
 * the same for the tables, once that is committed. table: TOPIC_devices or TOPIC_groups. */
void store_belongings_remove(
	struct db_batch *b, int table, const char *id, const struct store_actor *by);
int store_belongings_apply(struct store *s, int table, const char *id);
/* A record of another table than the devices', with its belongings; and once that is committed. */
void store_record_remove(
	struct db_batch *b, int table, const char *id, const struct store_actor *by);
int store_record_apply(struct store *s, int table, const char *id, const char *text);

/* A record is that now (text NULL: gone): into the table, and published if that is ours to do. */
int store_apply(struct store *s, int table, const char *id, const char *text);
/* Publishes everything, when that is ours to do. */
int store_publish_all(struct store *s);

/* A topic of changes that no table has: who is told looks into the database. */
bool store_is_untabled(const char *topic);

/* Change seq was written here, and the tables have it. */
void store_wrote(struct store *s, int64_t seq);
size_t store_api_keys_add(struct db_batch *b);
int store_api_keys_take(struct store *s, const struct db_batch *b, size_t statement);

/* store_follow.c */
void store_follow_start(struct store *s);
void store_follow_stop(struct store *s);
/* What came of a try: the number becomes the fence of what is published. */
void store_lease_take(struct store *s, const struct db_batch *b, const struct lease_try *t);
/* Somebody else publishes, or may. */
void store_lease_lose(struct store *s, uint64_t floor);

/* Adds the statements that write a seed, without the transaction around them. */
void store_seed_add(struct db_batch *b, const struct seed *seed);

/* store_setup.c: a connection is there. Migrates, writes key and seed where they are new, reads
 * everything, and follows from then on. */
void store_on_connect(void *arg);

/* store_reseed.c: a seed at run time. */
/* The seed that waits, taken over; NULL = none. */
void store_seed_set(struct store *s, struct seed *seed);
/* Writes the one that waits, if there is one and nothing stands in its way. */
void store_seed_write(struct store *s);
/* Does the end of a batch say that the database will never have that seed? */
bool store_seed_is_refused(int status);
/* Why it will not, in the log. */
void store_seed_log(const struct db_batch *b, int status);
