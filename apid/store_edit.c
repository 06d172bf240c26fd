/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edit {
	struct store *s;
	int table;
	char id[331];
	struct store_actor by;
	char *text; /* what it shall be; NULL = removed */
	enum { EDIT_LOOK, EDIT_CHECK, EDIT_WRITE } turn;
	size_t old, devices, number; /* statements */
	store_decide decide;
	void (*on_done)(void *arg, int status, const char *text);
	void *arg;
};

static void tell(struct edit *e, int status)
{
	e->on_done(e->arg, status, status ? NULL : e->text);
	free(e->text);
	free(e);
}

static void add_writes(struct edit *e, struct db_batch *b, const char *old)
{
	const char *topic = store_table_name(e->table);
	char action[48];

	if (e->text)
		db_add(b,
			"INSERT INTO records (topic, id, record) VALUES (?, ?, ?) ON DUPLICATE KEY "
			"UPDATE record = VALUES(record)",
			"sss", topic, e->id, e->text);
	else
		db_add(b, "DELETE FROM records WHERE topic = ? AND id = ?", "ss", topic, e->id);
	snprintf(action, sizeof(action), "%s_%s", topic,
		!e->text ? "remove"
		: old	 ? "change"
			 : "add");
	write_audit(b, &e->by, action, e->id, old, e->text);
	write_note(b, topic, e->id);
	e->number = write_commit(b);
}

bool store_devices_named_add(struct db_batch *b, int table, const char *id, size_t *statement)
{
	if (table != TOPIC_groups && table != TABLE_users)
		return false;
	*statement = db_add(b,
		"SELECT 1 FROM devices WHERE JSON_VALUE(record, ?) COLLATE utf8mb4_nopad_bin = ? "
		"LIMIT 1",
		"ss", table == TABLE_users ? "$.user" : "$.group", id);
	return true;
}

static void look(struct edit *e, struct db_batch *b)
{
	const struct db_rows *rows = db_batch_rows(b, e->old);
	const char *old = rows->n ? db_cell(rows, 0, 0) : NULL;
	int r = e->decide(e->arg, old, &e->text);

	if (r || (!old && !e->text) || (old && e->text && !strcmp(old, e->text))) {
		tell(e, r);
		return;
	}
	if (!e->text && store_devices_named_add(b, e->table, e->id, &e->devices)) {
		e->turn = EDIT_CHECK;
		return;
	}
	e->turn = EDIT_WRITE;
	add_writes(e, b, old);
}

/* A device of a group or user that is to go may be known to another apid alone. */
static void check(struct edit *e, struct db_batch *b)
{
	if (db_batch_rows(b, e->devices)->n) {
		tell(e, -EEXIST);
		return;
	}
	e->turn = EDIT_WRITE;
	add_writes(e, b, db_cell(db_batch_rows(b, e->old), 0, 0));
}

static void on_edit(void *arg, struct db_batch *b, int status)
{
	struct edit *e = arg;

	if (status) {
		log_notice("record could not be changed topic=%s id=%s error=%s",
			store_table_name(e->table), e->id, strerror(-status));
		log_debug("record could not be changed error=%s", db_batch_error(b));
		tell(e, status);
	} else if (e->turn == EDIT_LOOK) {
		look(e, b);
	} else if (e->turn == EDIT_CHECK) {
		check(e, b);
	} else {
		if (store_apply(e->s, e->table, e->id, e->text)) {
			log_error("record could not be published topic=%s id=%s",
				store_table_name(e->table), e->id);
			db_reset(e->s->db);
		} else {
			store_wrote(e->s, write_number(b, e->number));
		}
		tell(e, 0);
	}
}

static void on_restart(void *arg)
{
	struct edit *e = arg;

	free(e->text);
	e->text = NULL;
	e->turn = EDIT_LOOK;
}

void store_edit(struct store *s, int table, const char *id, const struct store_actor *by,
	store_decide decide, void (*on_done)(void *arg, int status, const char *text), void *arg)
{
	struct edit *e = calloc(1, sizeof(*e));
	struct db_batch *b = e ? db_batch_new() : NULL;

	if (!b) {
		free(e);
		on_done(arg, -ENOMEM, NULL);
		return;
	}
	e->s = s;
	e->table = table;
	e->by = *by;
	e->decide = decide;
	e->on_done = on_done;
	e->arg = arg;
	snprintf(e->id, sizeof(e->id), "%s", id);
	write_begin(b);
	e->old = db_add(b, "SELECT record FROM records WHERE topic = ? AND id = ?", "ss",
		store_table_name(table), e->id);
	db_batch_set_restart(b, on_restart);
	store_submit(s, b, on_edit, e);
}
