/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "apid/store_names.h"
#include "apid/store_uses.h"
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
	bool is_forced; /* whatever uses it */
	bool has_uses;
	struct store_uses uses;
	struct store_names names;
	char *why;
	size_t old, number; /* statements */
	store_decide decide;
	void (*on_done)(void *arg, int status, const char *text);
	void *arg;
};

static void tell(struct edit *e, int status)
{
	e->on_done(e->arg, status, status ? e->why : e->text);
	store_names_fini(&e->names);
	free(e->why);
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
		store_record_remove(b, e->table, e->id, &e->by);
	snprintf(action, sizeof(action), "%s_%s", topic,
		!e->text ? "remove"
		: old	 ? "change"
			 : "add");
	write_audit(b, &e->by, action, e->id, old, e->text);
	write_note(b, topic, e->id);
	e->number = write_commit(b);
}

/* What must be known before it is written; 0 when that is nothing, 1, or -ENOMEM. */
static int add_checks(struct edit *e, struct db_batch *b, const char *old)
{
	int r = e->text ? store_names_add(&e->names, e->s, b, e->table, e->text) : 0;

	if (!e->is_forced && (!old || !e->text))
		e->has_uses = store_uses_add(b, e->table, e->id, !old, &e->uses);
	return r ? r : e->has_uses || e->names.n;
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
	r = add_checks(e, b, old);
	if (r < 0) {
		db_reset(e->s->db); /* statements were added */
		tell(e, r);
		return;
	}
	e->turn = r ? EDIT_CHECK : EDIT_WRITE;
	if (!r)
		add_writes(e, b, old);
}

/* What it names, and what uses it, may be known to another apid alone. */
static void check(struct edit *e, struct db_batch *b)
{
	const char *gone = store_names_gone(&e->names, b);
	int r = e->has_uses ? store_uses_take(b, &e->uses, &e->why) : 0;

	if (!r && gone) {
		e->why = strdup(gone);
		r = -EINVAL;
	}
	if (r) {
		tell(e, r);
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
		if (store_record_apply(e->s, e->table, e->id, e->text)) {
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
	free(e->why);
	e->text = e->why = NULL;
	store_names_fini(&e->names);
	store_names_init(&e->names);
	e->has_uses = false;
	e->turn = EDIT_LOOK;
}

static void start(struct store *s, int table, const char *id, const struct store_actor *by,
	bool is_forced, store_decide decide,
	void (*on_done)(void *arg, int status, const char *text), void *arg)
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
	e->is_forced = is_forced;
	e->decide = decide;
	e->on_done = on_done;
	e->arg = arg;
	store_names_init(&e->names);
	snprintf(e->id, sizeof(e->id), "%s", id);
	write_begin(b);
	e->old = db_add(b, "SELECT record FROM records WHERE topic = ? AND id = ?", "ss",
		store_table_name(table), e->id);
	db_batch_set_restart(b, on_restart);
	store_submit(s, b, on_edit, e);
}

void store_edit(struct store *s, int table, const char *id, const struct store_actor *by,
	store_decide decide, void (*on_done)(void *arg, int status, const char *text), void *arg)
{
	start(s, table, id, by, false, decide, on_done, arg);
}

static int remove_it(void *arg, const char *old, char **out)
{
	(void)arg;
	(void)old;
	*out = NULL;
	return 0;
}

void store_drop(struct store *s, int table, const char *id, const struct store_actor *by,
	void (*on_done)(void *arg, int status, const char *text), void *arg)
{
	start(s, table, id, by, true, remove_it, on_done, arg);
}
