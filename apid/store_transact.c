/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct transact {
	struct store *s;
	const char *topic; /* constant */
	char id[65];
	enum { TRANSACT_STEP, TRANSACT_READ } turn;
	unsigned step_number;
	size_t number, device_token, api_keys; /* statements */
	struct accounts_load accounts;
	store_step step;
	void (*on_done)(void *arg, int status);
	void *arg;
};

static void tell(struct transact *t, int status)
{
	t->on_done(t->arg, status);
	free(t);
}

/* Commits, then reads what is kept in memory of it. */
static void finish(struct transact *t, struct db_batch *b)
{
	write_note(b, t->topic, t->id);
	t->number = write_commit(b);
	if (!strcmp(t->topic, "device_tokens"))
		t->device_token = accounts_device_add(b, t->id);
	else if (!strcmp(t->topic, "api_keys"))
		t->api_keys = store_api_keys_add(b);
	else
		accounts_add(b, &t->accounts, false);
	t->turn = TRANSACT_READ;
}

static int take(struct transact *t, const struct db_batch *b)
{
	struct store *s = t->s;

	if (!strcmp(t->topic, "device_tokens"))
		return accounts_device_take(&s->accounts, b, t->device_token, t->id);
	if (!strcmp(t->topic, "api_keys"))
		return store_api_keys_take(s, b, t->api_keys);
	return accounts_take(&s->accounts, b, &t->accounts);
}

static void on_batch(void *arg, struct db_batch *b, int status)
{
	struct transact *t = arg;
	int r;

	if (status) {
		log_debug("transaction failed topic=%s error=%s", t->topic, db_batch_error(b));
		tell(t, status);
		return;
	}
	if (t->turn == TRANSACT_STEP) {
		r = t->step(t->arg, b, t->step_number++);
		if (r < 0)
			tell(t, r); /* nothing is added: rolled back */
		else if (r == 0)
			finish(t, b);
		return;
	}
	r = take(t, b);
	if (r) {
		log_error("accounts could not be taken over error=%s", strerror(-r));
		db_reset(t->s->db);
	}
	store_wrote(t->s, write_number(b, t->number));
	tell(t, 0);
}

static void on_restart(void *arg)
{
	struct transact *t = arg;

	t->turn = TRANSACT_STEP;
	t->step_number = 0;
}

void store_transact(struct store *s, const char *topic, const char *id, store_step step,
	void (*on_done)(void *arg, int status), void *arg)
{
	struct transact *t = calloc(1, sizeof(*t));
	struct db_batch *b = t ? db_batch_new() : NULL;

	if (!b) {
		free(t);
		on_done(arg, -ENOMEM);
		return;
	}
	*t = (struct transact){
		.s = s, .topic = topic, .step = step, .on_done = on_done, .arg = arg
	};
	snprintf(t->id, sizeof(t->id), "%s", id);
	write_begin(b);
	db_batch_set_restart(b, on_restart);
	store_submit(s, b, on_batch, t);
}
