/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who follows a topic and has no memory for a record (SPEC D8): what it had stays in force, it says
 * so, and the record is in force once it has come again. Each allocation of a change fails, one
 * after the other. */
#include "apid/list_names.h"
#include "common/log.h"
#include "common/policy/directory.h"
#include "dnsd/records.h"
#include "proxyd/image_ignore.h"
#include "proxyd/own_names.h"
#include "proxyd/terms.h"
#include "tests/unit/fake_bus.h"
#include "tests/unit/no_memory.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

enum { CALLS_MAX = 400 };
enum state { STATE_NONE, STATE_OLD, STATE_NEW };

struct world {
	uv_loop_t loop;
	struct bus *bus;
	struct directory *dir;
	void *follower;
};

/* One that follows a topic. */
struct follower {
	enum bus_topic topic;
	enum bus_daemon owner;
	const char *id, *old, *new;
	void *(*open)(struct world *w);
	enum state (*look)(struct world *w);
	void (*close)(struct world *w);
	bool may_close; /* neither may be in force meanwhile: what is not known is closed */
};

static void around(bool begins)
{
	no_memory_switch(begins);
}

static void world_init(struct world *w, const struct follower *f)
{
	static const struct directory_ops none = { 0 };

	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &none, NULL);
	w->follower = f->open(w);
	fake_bus_end_all(w->bus);
	fake_bus_put(w->bus, f->topic, f->owner, f->id, f->old);
	fake_bus_end(w->bus, f->topic, f->owner);
}

static void world_fini(struct world *w, const struct follower *f)
{
	f->close(w);
	directory_close(w->dir);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->loop), 0);
	fake_bus_free(w->bus);
}

/* A loss ends the reading, as the bus does it. Was there one? */
static bool change(struct world *w, const struct follower *f, const char *json)
{
	fake_bus_put(w->bus, f->topic, f->owner, f->id, json);
	if (fake_bus_lost(w->bus))
		return true;
	fake_bus_end(w->bus, f->topic, f->owner);
	return fake_bus_lost(w->bus);
}

/* false: so many allocations are not made. What the follower makes by itself in a moment is waited
 * for once. */
static bool fail_one(
	const struct follower *f, const char *next, enum state want, unsigned n, bool *waited)
{
	struct world w;
	enum state now;
	bool lost, was;

	world_init(&w, f);
	INT_IS(f->look(&w), STATE_OLD);
	fake_bus_may_lose(w.bus, around);
	no_memory_at(n);
	lost = change(&w, f, next);
	was = no_memory_was();
	no_memory_at(0);
	now = f->look(&w);
	OK(now == (lost ? STATE_OLD : want) || (lost && f->may_close && now == STATE_NONE) ||
		(was && now == STATE_OLD)); /* it makes it by itself */
	OK(was || !lost);
	if (lost)
		OK(!change(&w, f, next));
	else if (now != want && *waited)
		OK(!change(&w, f, next));
	else if (now != want)
		uv_run(&w.loop, UV_RUN_ONCE);
	*waited |= !lost && now != want;
	INT_IS(f->look(&w), want);
	world_fini(&w, f);
	if (!tap_ok)
		printf("# allocation %u\n", n);
	return was;
}

static void fail_each(const struct follower *f)
{
	unsigned n = 1, removal = 1;
	bool waited = false;

	while (tap_ok && n < CALLS_MAX && fail_one(f, f->new, STATE_NEW, n, &waited))
		n++;
	OK(n > 1 && n < CALLS_MAX);
	while (tap_ok && removal < CALLS_MAX && fail_one(f, NULL, STATE_NONE, removal, &waited))
		removal++;
	OK(removal < CALLS_MAX);
}

/* ---- dnsd ---- */

static void test_own_records_of_dnsd(void)
{
	struct rec_dns_record old = { .id = (char *)"r",
		.name = (char *)"nas.example",
		.type = (char *)"A",
		.value = (char *)"10.77.0.5" },
			      new = old;
	const struct record *found;
	unsigned n = 0;
	bool was = true;

	new.value = (char *)"10.77.0.6";
	while (was && tap_ok && ++n < CALLS_MAX) {
		struct records r;
		int err;

		records_init(&r);
		INT_IS(records_set(&r, "r", &old), 0);
		INT_IS(records_set(&r, "s", &old), 0);
		INT_IS(records_index(&r), 0);
		no_memory_at(n);
		no_memory_switch(true);
		err = records_set(&r, "r", &new);
		if (!err)
			err = records_set(&r, "s", NULL);
		if (!err)
			err = records_index(&r);
		no_memory_switch(false);
		was = no_memory_was();
		INT_IS(err, was ? -ENOMEM : 0);
		found = records_find(&r, "nas.example", 11);
		OK(found && found->rdata[3] == (err ? 5 : 6) && !found->next == !err);
		INT_IS(records_set(&r, "r", &new), 0);
		INT_IS(records_set(&r, "s", NULL), 0);
		INT_IS(records_index(&r), 0);
		found = records_find(&r, "nas.example", 11);
		OK(found && found->rdata[3] == 6 && !found->next);
		records_fini(&r);
	}
	OK(n > 3 && n < CALLS_MAX);
}

/* ---- proxyd ---- */

static void *open_own_names(struct world *w)
{
	struct own_names *n = calloc(1, sizeof(*n));

	own_names_init(n);
	INT_IS(own_names_subscribe(n, w->bus), 0);
	return n;
}

static enum state look_own_names(struct world *w)
{
	if (own_names_has_address(w->follower, "old.example"))
		return STATE_OLD;
	return own_names_has_address(w->follower, "new.example") ? STATE_NEW : STATE_NONE;
}

static void close_own_names(struct world *w)
{
	own_names_fini(w->follower);
	free(w->follower);
}

static void test_own_names_of_proxyd(void)
{
	fail_each(&(struct follower){ TOPIC_dns_records, BUS_APID, "r",
		"{\"id\":\"r\",\"name\":\"old.example\",\"type\":\"A\",\"value\":\"10.77.0.5\"}",
		"{\"id\":\"r\",\"name\":\"new.example\",\"type\":\"A\",\"value\":\"10.77.0.5\"}",
		open_own_names, look_own_names, close_own_names, false });
}

static void *open_terms(struct world *w)
{
	return terms_open(&w->loop, w->bus, TOPIC_words, w->dir);
}

static void on_match(void *arg, size_t end, size_t len, bool is_exact)
{
	(void)end, (void)len, (void)is_exact;
	*(bool *)arg = true;
}

static bool has_word(const struct words *w, const char *text)
{
	struct words_cursor c = { 0 };
	bool found = false;

	words_scan(w, &c, (const uint8_t *)text, 0, strlen(text), on_match, &found);
	return found;
}

static enum state look_terms(struct world *w)
{
	const struct words *words = terms_words(w->follower);

	OK(words);
	if (words && has_word(words, "oldterm"))
		return STATE_OLD;
	return words && has_word(words, "newterm") ? STATE_NEW : STATE_NONE;
}

static void close_terms(struct world *w)
{
	terms_close(w->follower);
}

static void test_terms(void)
{
	fail_each(&(struct follower){ TOPIC_words, BUS_APID, "w",
		"{\"id\":\"w\",\"term\":\"oldterm\",\"match\":\"anywhere\"}",
		"{\"id\":\"w\",\"term\":\"newterm\",\"match\":\"anywhere\"}", open_terms,
		look_terms, close_terms, false });
}

static void *open_image_ignore(struct world *w)
{
	return image_ignore_open(w->bus, w->dir);
}

static enum state look_image_ignore(struct world *w)
{
	if (image_ignore_has(w->follower, "old.example"))
		return STATE_OLD;
	return image_ignore_has(w->follower, "new.example") ? STATE_NEW : STATE_NONE;
}

static void close_image_ignore(struct world *w)
{
	image_ignore_close(w->follower);
}

static const struct follower image_ignore = { TOPIC_image_ignore, BUS_APID, "i",
	"{\"id\":\"i\",\"domain\":\"old.example\"}", "{\"id\":\"i\",\"domain\":\"new.example\"}",
	open_image_ignore, look_image_ignore, close_image_ignore, false };

static void test_hosts_whose_images_are_shown(void)
{
	fail_each(&image_ignore);
}

/* They are gathered with the first question. */
static void test_hosts_whose_images_are_shown_are_gathered_again(void)
{
	struct world w;

	world_init(&w, &image_ignore);
	no_memory_at(1);
	no_memory_switch(true);
	OK(!image_ignore_has(w.follower, "old.example"));
	no_memory_switch(false);
	OK(no_memory_was() && image_ignore_has(w.follower, "old.example"));
	world_fini(&w, &image_ignore);
}

/* ---- all ---- */

static void *open_nothing(struct world *w)
{
	return w;
}

static enum state look_device(struct world *w)
{
	struct addr old, new;

	addr_parse("10.9.0.2", &old);
	addr_parse("10.9.0.3", &new);
	if (directory_find(w->dir, &old))
		return STATE_OLD;
	return directory_find(w->dir, &new) ? STATE_NEW : STATE_NONE;
}

static void close_nothing(struct world *w)
{
	(void)w;
}

static void test_devices(void)
{
	fail_each(&(struct follower){ TOPIC_devices, BUS_APID, "phone",
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"]}",
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.3\"],\"name\":\"n\",\"user\":\"u\"}",
		open_nothing, look_device, close_nothing, true });
}

/* ---- apid ---- */

static void *open_list_names(struct world *w)
{
	struct list_names *n = calloc(1, sizeof(*n));

	INT_IS(list_names_open(n, w->bus), 0);
	return n;
}

static enum state look_list_names(struct world *w)
{
	if (!strcmp(list_names_id(w->follower, "Old"), "l"))
		return STATE_OLD;
	return strcmp(list_names_id(w->follower, "New"), "l") != 0 ? STATE_NONE : STATE_NEW;
}

static void close_list_names(struct world *w)
{
	list_names_fini(w->follower);
	free(w->follower);
}

static void test_names_of_lists(void)
{
	fail_each(&(struct follower){ TOPIC_lists, BUS_SYNCD, "l",
		"{\"id\":\"l\",\"title\":\"Old\"}", "{\"id\":\"l\",\"title\":\"New\"}",
		open_list_names, look_list_names, close_list_names, true });
}

int main(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	TAP_RUN(test_own_records_of_dnsd);
	TAP_RUN(test_own_names_of_proxyd);
	TAP_RUN(test_terms);
	TAP_RUN(test_hosts_whose_images_are_shown);
	TAP_RUN(test_hosts_whose_images_are_shown_are_gathered_again);
	TAP_RUN(test_devices);
	TAP_RUN(test_names_of_lists);
	return tap_done();
}
