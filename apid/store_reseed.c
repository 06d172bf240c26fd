/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>

static const struct store_actor self = { .name = "apid" };

void store_seed_set(struct store *s, struct seed *seed)
{
	seed_free(s->seed);
	s->seed = seed;
	s->seed_always = seed != NULL;
	s->seed_number++;
}

bool store_seed_is_refused(int status)
{
	return status == -EEXIST || status == -ENOENT || status == -EINVAL;
}

void store_seed_log(const struct db_batch *b, int status)
{
	log_error("seed refused, nothing was changed at=%s reason=%s", db_batch_failed(b),
		status == -EEXIST   ? "an address or key of another device"
		: status == -ENOENT ? "no such device"
				    : "refused by the database");
	log_debug("seed refused error=%s", db_batch_error(b));
}

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

void store_seed_write(struct store *s)
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
