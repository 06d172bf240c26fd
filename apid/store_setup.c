/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/schema.h"
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_KEY "file"

/* The set-up of a connection: after the migration one batch, in two turns. */
struct setup {
	struct store *s;
	enum { SETUP_LOOK, SETUP_READ } turn;
	bool has_seed; /* a seed is written in this batch */
	char seed_digest[65];
	unsigned seed_number; /* of the store's seed when the batch was made */
	size_t key, seed;     /* statements */
	struct lease_try lease;
	struct store_load load;
};

static const struct store_actor self = { .name = "apid" };

/* Returns whether it added anything. */
static bool add_api_key(struct setup *u, struct db_batch *b)
{
	const struct db_rows *rows = db_batch_rows(b, u->key);
	uint8_t hash[DIGEST_LEN];

	if (!u->s->api_key || digest_sha256(u->s->api_key, strlen(u->s->api_key), hash))
		return false;
	for (size_t i = 0; i < rows->n; i++) {
		if (db_cell_len(rows, i, 1) == DIGEST_LEN &&
			!memcmp(db_cell(rows, i, 1), hash, DIGEST_LEN))
			return false;
	}
	write_begin(b);
	db_add(b,
		"INSERT INTO api_keys (name, hash, created_at) VALUES ('" FIRST_KEY "', ?, ?) ON "
		"DUPLICATE KEY UPDATE hash = VALUES(hash), created_at = VALUES(created_at), "
		"revoked_at = NULL",
		"bi", hash, (size_t)DIGEST_LEN, clock_wall_ms());
	write_audit(b, &self, "api_key_set", FIRST_KEY, NULL, NULL);
	return true;
}

static void add_seed(struct setup *u, struct db_batch *b, bool has_begun)
{
	const struct db_rows *rows = db_batch_rows(b, u->seed);
	const struct seed *seed = u->s->seed;

	u->seed_number = u->s->seed_number;
	if (!seed || (!u->s->seed_always && rows->n && !strcmp(db_cell(rows, 0, 0), seed->digest)))
		return;
	if (!has_begun)
		write_begin(b);
	u->has_seed = true;
	snprintf(u->seed_digest, sizeof(u->seed_digest), "%s", seed->digest);
	store_seed_add(b, seed);
	write_audit(b, &self, "seed_read", seed->digest, NULL, NULL);
}

/* Key and seed, where they are new. */
static void add_setup_writes(struct setup *u, struct db_batch *b)
{
	bool has_begun = add_api_key(u, b);

	add_seed(u, b, has_begun);
	if (!has_begun && !u->has_seed)
		return;
	write_note(b, "*", "");
	write_commit(b);
}

/* One that came while the batch was under way waits for its own turn. */
static void drop_seed(const struct setup *u)
{
	if (u->seed_number == u->s->seed_number)
		store_seed_set(u->s, NULL);
}

static void setup_failed(struct setup *u, const struct db_batch *b, int status)
{
	struct store *s = u->s;
	bool is_bad_seed = u->turn == SETUP_READ && u->has_seed && store_seed_is_refused(status);

	if (is_bad_seed) {
		store_seed_log(b, status);
		drop_seed(u);
		if (!s->is_started) {
			s->on_bad_seed(s->arg);
			return;
		}
	} else if (status != -ECANCELED) {
		log_error("database set-up failed error=%s", db_batch_error(b));
	}
	db_reset(s->db);
}

static void setup_done(struct setup *u, const struct db_batch *b)
{
	struct store *s = u->s;

	store_lease_take(s, b, &u->lease);
	if (store_load_take(s, b, &u->load)) {
		log_error("state could not be taken over");
		db_reset(s->db);
		return;
	}
	if (u->has_seed)
		log_notice("seed written sha256=%s", u->seed_digest);
	drop_seed(u);
	s->is_started = true;
	db_set_ready(s->db);
	store_follow_start(s);
	store_seed_write(s);
}

static void on_setup(void *arg, struct db_batch *b, int status)
{
	struct setup *u = arg;

	if (status) {
		setup_failed(u, b, status);
		free(u);
		return;
	}
	switch (u->turn) {
	case SETUP_LOOK:
		add_setup_writes(u, b);
		schema_unlock(b);
		lease_add(&u->s->lease, b, uv_now(u->s->loop), &u->lease);
		store_load_add(b, &u->load);
		u->turn = SETUP_READ;
		break;
	case SETUP_READ:
		setup_done(u, b);
		free(u);
		break;
	}
}

static void on_migrated(void *arg, int status)
{
	struct store *s = arg;
	struct db_batch *b = status ? NULL : db_batch_new();
	struct setup *u = b ? calloc(1, sizeof(*u)) : NULL;

	if (!u) {
		if (status != -ECANCELED)
			db_reset(s->db);
		return;
	}
	u->s = s;
	u->key = db_add(b, "SELECT name, hash FROM api_keys", "");
	u->seed = db_add(b, "SELECT value FROM meta WHERE name = 'seed_sha256'", "");
	db_submit_setup(s->db, b, STORE_SETUP_MS, on_setup, u);
}

void store_on_connect(void *arg)
{
	struct store *s = arg;

	if (schema_migrate(s->db, on_migrated, s))
		db_reset(s->db);
}
