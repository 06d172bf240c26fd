/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "apid/store_names.h"
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct work_record {
	int table;
	char *id, *text; /* text NULL: removed */
	size_t old;	 /* statement */
	bool is_changed;
};

struct work_device {
	char *id;
	struct device_state before, wanted;
};

struct store_work {
	struct store *s;
	struct store_actor by;
	enum { WORK_STEP, WORK_LOOK, WORK_WRITE } turn;
	unsigned step_number;
	struct work_record *v;
	size_t n, cap;
	struct work_device *devices;
	size_t device_count, device_cap;
	struct store_names names;
	const char *note; /* NULL = none */
	char note_id[331];
	size_t number; /* statement */
	store_work_step step;
	void (*on_done)(void *arg, int status);
	void *arg;
};

bool store_is_untabled(const char *topic)
{
	return !strcmp(topic, "appeals");
}

static void tell(struct store_work *w, int status)
{
	w->on_done(w->arg, status);
	store_names_fini(&w->names);
	for (size_t i = 0; i < w->n; i++) {
		free(w->v[i].id);
		free(w->v[i].text);
	}
	for (size_t i = 0; i < w->device_count; i++) {
		free(w->devices[i].id);
		store_device_fini(&w->devices[i].before);
		store_device_fini(&w->devices[i].wanted);
	}
	free(w->devices);
	free(w->v);
	free(w);
}

int store_work_set(struct store_work *w, int table, const char *id, const char *text)
{
	size_t cap = w->cap ? 2 * w->cap : 4;
	struct work_record *v;

	assert(table != TOPIC_devices && table != TOPIC_device_keys);
	if (w->n == w->cap) {
		v = realloc(w->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		w->v = v;
		w->cap = cap;
	}
	v = &w->v[w->n++];
	*v = (struct work_record){ .table = table, .id = strdup(id) };
	v->text = text ? strdup(text) : NULL;
	return v->id && (v->text || !text) ? 0 : -ENOMEM;
}

int store_work_device(struct store_work *w, const char *id, const struct device_state *before,
	const struct device_state *wanted)
{
	size_t cap = w->device_cap ? 2 * w->device_cap : 4;
	struct work_device *d;

	if (w->device_count == w->device_cap) {
		d = realloc(w->devices, cap * sizeof(*d));
		if (!d)
			return -ENOMEM;
		w->devices = d;
		w->device_cap = cap;
	}
	d = &w->devices[w->device_count++];
	*d = (struct work_device){ .id = strdup(id) };
	return !d->id || store_device_copy(before, &d->before) ||
			       store_device_copy(wanted, &d->wanted)
		       ? -ENOMEM
		       : 0;
}

void store_work_note(struct store_work *w, const char *topic, const char *id)
{
	assert(store_is_untabled(topic));
	w->note = topic;
	snprintf(w->note_id, sizeof(w->note_id), "%s", id);
}

static int add_looks(struct store_work *w, struct db_batch *b)
{
	int r = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct work_record *v = &w->v[i];

		v->old = db_add(b, "SELECT record FROM records WHERE topic = ? AND id = ?", "ss",
			store_table_name(v->table), v->id);
		if (!r && v->text)
			r = store_names_add(&w->names, w->s, b, v->table, v->text);
	}
	for (size_t i = 0; i < w->device_count && !r; i++) {
		const struct device_state *d = &w->devices[i].wanted;

		if (d->exists && d->record)
			r = store_names_add(&w->names, w->s, b, TOPIC_devices, d->record);
	}
	return r;
}

static void add_write(struct store_work *w, struct db_batch *b, struct work_record *r)
{
	const struct db_rows *rows = db_batch_rows(b, r->old);
	const char *old = rows->n ? db_cell(rows, 0, 0) : NULL;
	const char *topic = store_table_name(r->table);
	char action[64];

	if ((!old && !r->text) || (old && r->text && !strcmp(old, r->text)))
		return;
	r->is_changed = true;
	if (r->text)
		db_add(b,
			"INSERT INTO records (topic, id, record) VALUES (?, ?, ?) ON DUPLICATE KEY "
			"UPDATE record = VALUES(record)",
			"sss", topic, r->id, r->text);
	else
		store_record_remove(b, r->table, r->id, &w->by);
	snprintf(action, sizeof(action), "%s_%s", topic,
		!r->text ? "remove"
		: old	 ? "change"
			 : "add");
	/* What devices are told follows from what is audited. */
	if (r->table != TOPIC_appeal_answers)
		write_audit(b, &w->by, action, r->id, old, r->text);
	write_note(b, topic, r->id);
}

/* A transaction that changed nothing is rolled back: what step alone wrote is noted. */
static bool add_writes(struct store_work *w, struct db_batch *b)
{
	bool changes = w->note || w->device_count;

	for (size_t i = 0; i < w->n; i++) {
		add_write(w, b, &w->v[i]);
		changes = changes || w->v[i].is_changed;
	}
	for (size_t i = 0; i < w->device_count; i++) {
		const struct work_device *d = &w->devices[i];

		store_device_write(b, d->id, &w->by, &d->before, &d->wanted);
	}
	if (!changes)
		return false;
	if (w->note)
		write_note(b, w->note, w->note_id);
	w->number = write_commit(b);
	return true;
}

static void settle(struct store_work *w, const struct db_batch *b)
{
	struct store *s = w->s;
	int r = 0;

	for (size_t i = 0; i < w->n && !r; i++) {
		if (w->v[i].is_changed)
			r = store_record_apply(s, w->v[i].table, w->v[i].id, w->v[i].text);
	}
	for (size_t i = 0; i < w->device_count && !r; i++)
		r = store_device_apply(s, w->devices[i].id, &w->devices[i].wanted);
	if (r) {
		log_error("records could not be published error=%s", strerror(-r));
		db_reset(s->db);
	} else {
		store_wrote(s, write_number(b, w->number));
	}
	if (w->note && s->on_change)
		s->on_change(s->arg, w->note, w->note_id);
	tell(w, 0);
}

static void on_batch(void *arg, struct db_batch *b, int status);

static void look(struct store_work *w, struct db_batch *b)
{
	int r = add_looks(w, b);

	w->turn = WORK_LOOK;
	if (r) {
		db_reset(w->s->db); /* statements were added */
		tell(w, r);
	} else if (!w->n && !w->names.n) {
		on_batch(w, b, 0); /* what step added is enough */
	}
}

static void on_batch(void *arg, struct db_batch *b, int status)
{
	struct store_work *w = arg;
	int r;

	if (status) {
		log_debug("records could not be changed error=%s", db_batch_error(b));
		tell(w, status);
		return;
	}
	switch (w->turn) {
	case WORK_STEP:
		r = w->step(w->arg, w, b, w->step_number++);
		if (r < 0) {
			tell(w, r); /* nothing is added: rolled back */
		} else if (r == 0) {
			look(w, b);
		}
		break;
	case WORK_LOOK:
		w->turn = WORK_WRITE;
		if (store_names_gone(&w->names, b))
			tell(w, -ESTALE);
		else if (!add_writes(w, b))
			tell(w, 0);
		break;
	case WORK_WRITE:
		settle(w, b);
		break;
	}
}

void store_work(struct store *s, const struct store_actor *by, uint32_t deadline_ms,
	store_work_step step, void (*on_done)(void *arg, int status), void *arg)
{
	struct store_work *w = calloc(1, sizeof(*w));
	struct db_batch *b = w ? db_batch_new() : NULL;

	if (!b || !s->db) {
		free(w);
		if (b)
			db_batch_drop(b);
		on_done(arg, b ? -ECANCELED : -ENOMEM);
		return;
	}
	w->s = s;
	w->by = *by;
	store_names_init(&w->names);
	w->step = step;
	w->on_done = on_done;
	w->arg = arg;
	write_begin(b);
	db_submit(s->db, b, deadline_ms ? deadline_ms : STORE_MS, on_batch, w);
}
