/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/schema.h"
#include "apid/store_impl.h"
#include "apid/topics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The lock is gone with the connection: somebody else may publish at once. */
static void on_down(void *arg)
{
	struct store *s = arg;

	store_follow_stop(s);
	store_lease_lose(s, 0);
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
