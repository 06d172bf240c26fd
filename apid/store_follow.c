/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How changes that other apid commit get here: what is noted after the last number seen is read
 * again, a few times a second. */
enum { FOLLOW_MS = 120, ITEMS_MAX = 256 };

struct item {
	int table; /* of a record; TABLES: what `kind` says */
	enum { KIND_RECORD, KIND_DEVICE, KIND_ACCOUNTS, KIND_DEVICE_TOKEN, KIND_UNTABLED } kind;
	char id[331];
	char topic[33]; /* of KIND_UNTABLED */
	size_t statement;
	struct store_device_rows device;
};

struct follow {
	struct store *s;
	enum { FOLLOW_LOOK, FOLLOW_READ } turn;
	size_t changes; /* statement */
	struct lease_try lease;
	bool has_lease_try, is_whole;
	struct store_load load;
	struct accounts_load accounts;
	struct item *items;
	size_t n;
	int64_t seq;
};

static void on_fenced(void *arg, uint64_t in_force)
{
	store_lease_lose(arg, in_force);
}

void store_lease_take(struct store *s, const struct db_batch *b, const struct lease_try *t)
{
	if (lease_take(&s->lease, b, t))
		publisher_set_fence(s->publisher, s->lease.number, on_fenced, s);
	else
		publisher_yield(s->publisher);
}

void store_lease_lose(struct store *s, uint64_t floor)
{
	lease_lose(&s->lease, floor);
	publisher_yield(s->publisher);
}

static void free_follow(struct follow *f)
{
	free(f->items);
	free(f);
}

/* ---- reading what changed ---- */

static void add_record(struct db_batch *b, struct item *i)
{
	i->statement = db_add(b, "SELECT record FROM records WHERE topic = ? AND id = ?", "ss",
		store_table_name(i->table), i->id);
}

/* False: there is something that cannot be read alone. */
static bool add_item(struct follow *f, struct db_batch *b, const char *topic, const char *id)
{
	struct item *i = &f->items[f->n];

	snprintf(i->id, sizeof(i->id), "%s", id);
	i->table = store_table_find(topic);
	if (i->table == TOPIC_devices) {
		i->kind = KIND_DEVICE;
		store_device_add(b, id, &i->device);
	} else if (i->table != TABLES && i->table != TOPIC_device_keys) {
		i->kind = KIND_RECORD;
		add_record(b, i);
	} else if (!strcmp(topic, "accounts")) {
		i->kind = KIND_ACCOUNTS;
		for (size_t k = 0; k < f->n; k++) {
			if (f->items[k].kind == KIND_ACCOUNTS)
				return true;
		}
		accounts_add(b, &f->accounts, false);
	} else if (!strcmp(topic, "device_tokens")) {
		i->kind = KIND_DEVICE_TOKEN;
		i->statement = accounts_device_add(b, id);
	} else if (store_is_untabled(topic)) {
		i->kind = KIND_UNTABLED;
		snprintf(i->topic, sizeof(i->topic), "%s", topic);
	} else {
		return false;
	}
	f->n++;
	return true;
}

/* How many rows are about changes written here since the question was put. */
static size_t count_known(const struct follow *f, const struct db_rows *rows)
{
	size_t n = 0;

	while (n < rows->n && atoll(db_cell(rows, n, 0)) <= f->s->seq)
		n++;
	return n;
}

/* The first change must be the one after the last, else some were purged meanwhile. False: all has
 * to be read. */
static bool add_items(struct follow *f, struct db_batch *b)
{
	const struct db_rows *rows = db_batch_rows(b, f->changes);
	size_t known = count_known(f, rows);

	if (known == rows->n)
		return rows->n <= ITEMS_MAX;
	if (rows->n > ITEMS_MAX || atoll(db_cell(rows, known, 0)) != f->s->seq + 1)
		return false;
	f->items = calloc(rows->n, sizeof(*f->items));
	if (!f->items)
		return false;
	for (size_t i = known; i < rows->n; i++) {
		f->seq = atoll(db_cell(rows, i, 0));
		if (!add_item(f, b, db_cell(rows, i, 1), db_cell(rows, i, 2)))
			return false;
	}
	return true;
}

static int take_item(struct follow *f, const struct db_batch *b, const struct item *i)
{
	struct store *s = f->s;
	const struct db_rows *rows;
	char *text, *key;
	int r;

	switch (i->kind) {
	case KIND_RECORD:
		rows = db_batch_rows(b, i->statement);
		return store_apply(s, i->table, i->id, rows->n ? db_cell(rows, 0, 0) : NULL);
	case KIND_DEVICE:
		text = store_device_take(b, i->id, &i->device, &key);
		r = store_apply(s, TOPIC_devices, i->id, text);
		if (!r)
			r = store_apply(s, TOPIC_device_keys, i->id, key);
		if (key)
			explicit_bzero(key, strlen(key));
		free(key);
		free(text);
		return r;
	case KIND_ACCOUNTS:
		return accounts_take(&s->accounts, b, &f->accounts);
	case KIND_DEVICE_TOKEN:
		return accounts_device_take(&s->accounts, b, i->statement, i->id);
	case KIND_UNTABLED:
		if (s->on_change)
			s->on_change(s->arg, i->topic, i->id);
		return 0;
	}
	return 0;
}

static int take_items(struct follow *f, const struct db_batch *b)
{
	int r = 0;

	for (size_t i = 0; i < f->n && !r; i++)
		r = take_item(f, b, &f->items[i]);
	return r;
}

static void done(struct follow *f, const struct db_batch *b)
{
	struct store *s = f->s;
	bool is_new = s->lease.number && !publisher_is_holder(s->publisher);
	int r;

	if (f->is_whole) {
		r = store_load_take(s, b, &f->load);
	} else {
		r = take_items(f, b);
		if (f->seq > s->seq)
			s->seq = f->seq;
		if (!r && is_new)
			r = store_publish_all(s);
	}
	if (r) {
		log_error("changes could not be taken over error=%s", strerror(-r));
		db_reset(s->db);
		return;
	}
	publisher_reached(s->publisher, s->seq);
}

static void on_follow(void *arg, struct db_batch *b, int status)
{
	struct follow *f = arg;
	struct store *s = f->s;

	if (!status && f->turn == FOLLOW_LOOK) {
		if (f->has_lease_try)
			store_lease_take(s, b, &f->lease);
		f->turn = FOLLOW_READ;
		if (db_batch_rows(b, f->changes)->n && !add_items(f, b)) {
			f->is_whole = true;
			store_load_add(b, &f->load);
		}
		/* Nothing more to read: what would be read is here. */
		if (f->is_whole || f->n)
			return;
	}
	s->is_following = false;
	if (!status)
		done(f, b);
	else if (status != -ECANCELED && status != -ENOTCONN)
		log_error("changes could not be read error=%s", db_batch_error(b));
	free_follow(f);
}

void store_wrote(struct store *s, int64_t seq)
{
	/* Else there are others' changes before it, which are read together with it. */
	if (seq != s->seq + 1)
		return;
	s->seq = seq;
	publisher_reached(s->publisher, seq);
}

static void on_timer(struct timer *t)
{
	struct store *s = t->data;
	struct db_batch *b;
	struct follow *f;
	uint64_t now = uv_now(s->loop);

	if (s->lease.number && !lease_is_held(&s->lease, now))
		store_lease_lose(s, 0);
	if (s->is_following || !store_is_ready(s))
		return;
	b = db_batch_new();
	f = b ? calloc(1, sizeof(*f)) : NULL;
	if (!f) {
		if (b)
			db_batch_drop(b);
		return;
	}
	f->s = s;
	f->has_lease_try = lease_is_due(&s->lease, now);
	if (f->has_lease_try)
		lease_add(&s->lease, b, now, &f->lease);
	f->changes =
		db_add(b, "SELECT seq, topic, id FROM changes WHERE seq > ? ORDER BY seq LIMIT 257",
			"i", s->seq);
	s->is_following = true;
	store_submit(s, b, on_follow, f);
}

void store_follow_start(struct store *s)
{
	s->follow.on_fire = on_timer;
	timer_start(&s->follow, FOLLOW_MS, FOLLOW_MS);
}

void store_follow_stop(struct store *s)
{
	timer_stop(&s->follow);
}
