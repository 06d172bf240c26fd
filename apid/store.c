/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/schema.h"
#include "apid/store_impl.h"
#include "apid/topics.h"
#include "common/log.h"

#include <errno.h>
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

/* The seed that waits; NULL = none. */
static void store_seed_set(struct store *s, struct seed *seed)
{
	seed_free(s->seed);
	s->seed = seed;
	s->seed_always = seed != NULL;
	s->seed_number++;
}

/* One that came while the batch was under way waits for its own turn. */
static void drop_seed(const struct setup *u)
{
	if (u->seed_number == u->s->seed_number)
		store_seed_set(u->s, NULL);
}

static void store_seed_write(struct store *s);

static bool store_seed_is_refused(int status)
{
	return status == -EEXIST || status == -ENOENT || status == -EINVAL;
}

static void store_seed_log(const struct db_batch *b, int status)
{
	log_error("seed refused, nothing was changed at=%s reason=%s", db_batch_failed(b),
		status == -EEXIST   ? "an address or key of another device"
		: status == -ENOENT ? "no such device"
				    : "refused by the database");
	log_debug("seed refused error=%s", db_batch_error(b));
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

static void store_on_connect(void *arg)
{
	struct store *s = arg;

	if (schema_migrate(s->db, on_migrated, s))
		db_reset(s->db);
}

/* The lock is gone with the connection: somebody else may publish at once. */
static void on_down(void *arg)
{
	struct store *s = arg;

	store_follow_stop(s);
	store_lease_lose(s, 0);
}

/* ---- a seed at run time ---- */

struct reseed {
	struct store *s;
	struct seed *seed;
	struct store_load load;
	bool is_read;
};

static bool is_lost_connection(int status)
{
	return status == -ENOTCONN || status == -ECANCELED;
}

static void on_reseed(void *arg, struct db_batch *b, int status)
{
	struct reseed *r = arg;
	struct store *s = r->s;

	if (!status && !r->is_read) {
		r->is_read = true;
		store_load_add(b, &r->load);
		return;
	}
	s->is_reseeding = false;
	if (is_lost_connection(status)) {
		/* The next connection reads everything; it writes what is not written yet. */
		if (!r->is_read && !s->seed) {
			store_seed_set(s, r->seed);
			r->seed = NULL;
		}
	} else if (store_seed_is_refused(status)) {
		store_seed_log(b, status);
	} else if (status && !r->is_read) {
		log_error("seed could not be written error=%s", db_batch_error(b));
	} else if (status || store_load_take(s, b, &r->load)) {
		log_error("seed written but not published error=%s", db_batch_error(b));
	} else {
		log_notice("seed written sha256=%s", r->seed->digest);
	}
	seed_free(r->seed);
	free(r);
	store_seed_write(s);
}

/* Takes the seed over. */
static void write_seed(struct store *s, struct seed *seed)
{
	struct db_batch *b = db_batch_new();
	struct reseed *r = calloc(1, sizeof(*r));

	if (!b || !r) {
		log_error("seed could not be written error=no memory");
		seed_free(seed);
		free(r);
		free(b);
		return;
	}
	r->s = s;
	r->seed = seed;
	s->is_reseeding = true;
	write_begin(b);
	store_seed_add(b, seed);
	write_audit(b, &self, "seed_read", seed->digest, NULL, NULL);
	write_note(b, "*", "");
	write_commit(b);
	db_submit(s->db, b, STORE_SETUP_MS, on_reseed, r);
}

static void store_seed_write(struct store *s)
{
	struct seed *seed = s->seed;

	if (!seed || s->is_reseeding || !store_is_ready(s))
		return;
	s->seed = NULL;
	s->seed_always = false;
	write_seed(s, seed);
}

/* At most one is being written and one, the newest, waits. */
void store_seed(struct store *s, struct seed *seed)
{
	store_seed_set(s, seed);
	if (!store_is_ready(s))
		log_notice("seed waits for the database");
	store_seed_write(s);
}

/* ---- connections that read ---- */

static void on_reader_set(void *arg, struct db_batch *b, int status)
{
	struct db *db = arg;

	(void)b;
	if (!status)
		db_set_ready(db);
	else if (status != -ECANCELED)
		db_reset(db);
}

/* Told with the slot, so that the callback finds its connection. */
static void on_reader_connect(void *arg)
{
	struct db *db = *(struct db **)arg;
	struct db_batch *b = db_batch_new();

	if (!b) {
		db_reset(db);
		return;
	}
	schema_session(b, db);
	db_submit_setup(db, b, STORE_MS, on_reader_set, db);
}

static struct db *reader(struct store *s)
{
	for (unsigned i = 0; i < STORE_READERS; i++) {
		struct db *db = s->readers[s->next_reader++ % STORE_READERS];

		if (db && db_is_ready(db))
			return db;
	}
	return s->db;
}

static void submit(struct db *db, struct db_batch *b, db_on_done on_done, void *arg)
{
	if (db) {
		db_submit(db, b, STORE_MS, on_done, arg);
		return;
	}
	if (on_done)
		on_done(arg, b, -ECANCELED);
	db_batch_drop(b);
}

void store_submit(struct store *s, struct db_batch *b, db_on_done on_done, void *arg)
{
	submit(s->db, b, on_done, arg);
}

void store_read(struct store *s, struct db_batch *b, db_on_done on_done, void *arg)
{
	submit(reader(s), b, on_done, arg);
}

/* ---- life ---- */

static int open_connections(struct store *s, const struct store_options *options)
{
	struct db_options db = options->db;

	db.on_connect = store_on_connect;
	db.on_down = on_down;
	db.arg = s;
	s->db = db_open(s->loop, &db);
	db.on_connect = on_reader_connect;
	db.on_down = NULL;
	db.is_quiet = true;
	for (unsigned i = 0; i < STORE_READERS && s->db; i++) {
		db.arg = &s->readers[i];
		s->readers[i] = db_open(s->loop, &db);
		if (!s->readers[i])
			return -ENOMEM;
	}
	return s->db ? 0 : -ENOMEM;
}

struct store *store_open(uv_loop_t *loop, struct publisher *p, const struct store_options *options,
	struct seed *seed)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s) {
		seed_free(seed);
		return NULL;
	}
	s->loop = loop;
	s->publisher = p;
	s->seed = seed;
	s->on_bad_seed = options->on_bad_seed;
	s->on_loaded = options->on_loaded;
	s->on_change = options->on_change;
	s->arg = options->arg;
	for (int i = 0; i < TABLES; i++)
		table_init(&s->tables[i]);
	hmap_init(&s->device_at, free);
	accounts_init(&s->accounts);
	s->api_key = options->api_key ? strdup(options->api_key) : NULL;
	timer_init(loop, &s->follow, NULL, s);
	if ((s->api_key || !options->api_key) && !lease_init(&s->lease) &&
		!open_connections(s, options))
		return s;
	store_close(s);
	return NULL; /* without memory; what is left goes with the process */
}

void store_close(struct store *s)
{
	struct db *db = s->db;

	store_follow_stop(s);
	timer_close(&s->follow, NULL);
	s->db = NULL; /* it frees itself, and its batches end from within */
	if (db)
		db_close(db);
	for (unsigned i = 0; i < STORE_READERS; i++) {
		db = s->readers[i];
		s->readers[i] = NULL;
		if (db)
			db_close(db);
	}
}

void store_free(struct store *s)
{
	seed_free(s->seed);
	if (s->api_key)
		explicit_bzero(s->api_key, strlen(s->api_key));
	free(s->api_key);
	for (int i = 0; i < TABLES; i++)
		table_fini(&s->tables[i]);
	hmap_fini(&s->device_at);
	accounts_fini(&s->accounts);
	api_keys_fini(&s->keys);
	free(s);
}

bool store_is_ready(const struct store *s)
{
	return s->db && db_is_ready(s->db);
}

bool store_is_loaded(const struct store *s)
{
	return s->is_loaded;
}

bool store_is_publisher(const struct store *s)
{
	return lease_is_held(&s->lease, uv_now(s->loop));
}

void store_set_api_key(struct store *s, const char *api_key)
{
	char *copy;

	if (!api_key || (s->api_key && !strcmp(s->api_key, api_key)) || !(copy = strdup(api_key)))
		return;
	if (s->api_key)
		explicit_bzero(s->api_key, strlen(s->api_key));
	free(s->api_key);
	s->api_key = copy;
	db_reset(s->db);
}

const struct api_keys *store_api_keys(const struct store *s)
{
	return s->keys_known ? &s->keys : NULL;
}

/* ---- tables ---- */

int store_table_find(const char *name)
{
	enum bus_topic topic = topic_find(name);

	if (topic != BUS_TOPICS)
		return topic;
	return strcmp(name, "users") ? TABLES : TABLE_users;
}

const char *store_table_name(int table)
{
	return table == TABLE_users ? "users" : topic_name((enum bus_topic)table);
}

const struct table *store_table(const struct store *s, int table)
{
	return &s->tables[table];
}

struct accounts *store_accounts(struct store *s)
{
	return &s->accounts;
}

const char *store_device_at(const struct store *s, const struct addr *a)
{
	return hmap_find(&s->device_at, a, sizeof(*a));
}
