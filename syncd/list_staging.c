/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_staging.h"
#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SET_ID "main"
/* A beat of every daemon: who runs is known from then on. */
#define HEARING_MS 6000
#define LOOK_MS	   1000

const char *staging_state_text(enum staging_state s)
{
	static const char *const texts[] = { "none", "storing", "waiting", "in force", "refused" };

	return texts[s];
}

static void set_state(struct staging *s, enum staging_state state)
{
	if (s->state == state)
		return;
	log_info("domain set %s blob=%.12s", staging_state_text(state), s->current.digest);
	s->state = state;
	if (state == STAGING_WAITING)
		timer_start(&s->beat, LOOK_MS, LOOK_MS);
	else
		timer_stop(&s->beat);
	bus_status_changed(s->bus);
}

/* ---- the record ---- */

static cJSON *encode(const struct list_version *v)
{
	struct rec_domainset r = { .id = (char *)(uintptr_t)SET_ID,
		.blob = (char *)(uintptr_t)v->digest,
		.count = (int64_t)v->count };
	char *lists[LIST_BITS];

	r.lists.v = lists;
	for (size_t i = 0; i < LIST_BITS; i++) {
		lists[i] = (char *)(uintptr_t)v->ids[i];
		if (*v->ids[i])
			r.lists.n = i + 1;
	}
	rec_mark(&r, domainset, id);
	rec_mark(&r, domainset, blob);
	rec_mark(&r, domainset, lists);
	rec_mark(&r, domainset, count);
	return codec_encode(REC_domainset, &r);
}

static void look(struct staging *s);

static void on_flushed(void *arg, int status, uint64_t gen)
{
	struct staging *s = arg;

	/* Of several writes the last one counts. */
	if (--s->flushes || status || s->closed)
		return;
	s->gen = gen;
	look(s);
}

static int write_record(struct staging *s)
{
	cJSON *record = encode(&s->current);
	const char *id = SET_ID;
	int err;

	if (!record)
		return -ENOMEM;
	s->gen = 0;
	s->told_stuck = false;
	if (s->replaced)
		bus_state_set(s->bus, TOPIC_domainset, id, record);
	else
		bus_state_replace(s->bus, TOPIC_domainset, &id, &record, 1);
	s->replaced = true;
	set_state(s, STAGING_WAITING);
	err = bus_state_flush(s->bus, TOPIC_domainset, on_flushed, s);
	s->flushes += !err;
	return err;
}

/* ---- back ---- */

static void on_good_stored(void *arg, int status)
{
	struct staging *s = arg;

	if (s->closed || s->state != STAGING_REFUSED)
		return;
	if (!status) {
		s->current = s->good;
		status = write_record(s);
	}
	if (status)
		log_error("last good domain set not published error=%s", strerror(-status));
}

static void on_good_got(void *arg, int status, const char *path)
{
	struct staging *s = arg;

	(void)path;
	if (s->closed || status == -ECANCELED || s->state != STAGING_REFUSED)
		return;
	if (!status)
		status = bus_blob_put_cached(s->bus, s->good.digest, on_good_stored, s);
	if (status)
		log_error("last good domain set not found error=%s", strerror(-status));
}

static void go_back(struct staging *s, const char *why)
{
	int err;

	set_state(s, STAGING_REFUSED);
	err = bus_blob_get(s->bus, s->good.digest, on_good_got, s);
	if (err)
		log_error("last good domain set not found error=%s", strerror(-err));
	s->ops->on_refused(s->arg, why);
}

/* ---- acknowledgements ---- */

static void look_for_stuck(struct staging *s, uint64_t now)
{
	const struct consumer *c = consumers_find_stuck(
		&s->consumers, CONSUMER_DOMAINSET, s->gen, s->patience_ms, now);
	bool back = *s->good.digest && strcmp(s->good.digest, s->current.digest) != 0;
	char why[160];

	if (!c || s->told_stuck)
		return;
	snprintf(why, sizeof(why), "set %.12s not loaded by %s/%s for %lu s; %s", s->current.digest,
		bus_daemon_name(c->daemon), c->instance,
		(unsigned long)((now - c->stuck_since[CONSUMER_DOMAINSET]) / 1000),
		back ? "back to the last good one" : "there is no other");
	log_error("domain set refused reason=\"%s\"", why);
	s->told_stuck = true;
	if (back)
		go_back(s, why);
	else
		s->ops->on_stuck(s->arg, why);
}

/* The web set is published without waiting: a website rule is in force at once. */
static void look_at_webset(struct staging *s, uint64_t now)
{
	uint64_t gen = bus_state_gen(s->bus, TOPIC_webset);
	const struct consumer *c =
		consumers_find_stuck(&s->consumers, CONSUMER_WEBSET, gen, s->patience_ms, now);
	char why[160];

	if (!gen || !c || s->told_webset == gen)
		return;
	s->told_webset = gen;
	snprintf(why, sizeof(why),
		"web set of generation %lu not loaded by %s/%s for %lu s; it keeps the one it has",
		(unsigned long)gen, bus_daemon_name(c->daemon), c->instance,
		(unsigned long)((now - c->stuck_since[CONSUMER_WEBSET]) / 1000));
	log_error("web set refused reason=\"%s\"", why);
	s->ops->on_stuck(s->arg, why);
}

static bool is_acknowledged(const struct staging *s, uint64_t now)
{
	const struct consumers *c = &s->consumers;
	uint64_t hearing = s->patience_ms < HEARING_MS ? s->patience_ms : HEARING_MS;

	return now - s->started_at >= hearing && consumers_count(c, CONSUMER_DOMAINSET) &&
	       consumers_have(c, CONSUMER_DOMAINSET, s->gen) && s->ops->is_settled(s->arg) &&
	       consumers_have(c, CONSUMER_WEBSET, bus_state_gen(s->bus, TOPIC_webset)) &&
	       consumers_have(c, CONSUMER_LISTS, bus_state_gen(s->bus, TOPIC_lists));
}

static void look(struct staging *s)
{
	uint64_t now = clock_mono_ms();

	consumers_forget(&s->consumers, now);
	if (s->state != STAGING_WAITING || !s->gen)
		return;
	if (!is_acknowledged(s, now)) {
		look_for_stuck(s, now);
		return;
	}
	s->good = s->current;
	set_state(s, STAGING_IN_FORCE);
	s->ops->on_in_force(s->arg, &s->good);
}

static void on_beat(struct timer *t)
{
	look(t->data);
}

static void on_status(void *arg, const struct bus_status *status)
{
	struct staging *s = arg;

	if (s->closed)
		return;
	consumers_note(&s->consumers, status, clock_mono_ms());
	look_at_webset(s, clock_mono_ms());
	look(s);
}

/* ---- forth ---- */

/* The blob is where consumers find it: now they may hear of it. */
static void on_stored(void *arg, int status)
{
	struct staging *s = arg;

	if (s->closed || status == -ECANCELED)
		return;
	if (!status)
		status = write_record(s);
	if (status) {
		log_error("domain set not published error=%s", strerror(-status));
		set_state(s, STAGING_NONE);
	}
	s->ops->on_published(s->arg, status);
}

int staging_publish(struct staging *s, const void *image, size_t len, struct list_version *v)
{
	int err;

	if (s->state == STAGING_REFUSED)
		bus_blob_forget(s->bus, on_good_got, s);
	err = bus_blob_put(s->bus, image, len, v->digest, on_stored, s);
	if (err)
		return err;
	s->current = *v;
	s->gen = 0;
	set_state(s, STAGING_STORING);
	return 0;
}

void staging_recheck(struct staging *s)
{
	if (s->state == STAGING_IN_FORCE)
		set_state(s, STAGING_WAITING);
	look(s);
}

/* ---- life ---- */

int staging_open(struct staging *s, uv_loop_t *loop, struct bus *bus,
	const struct list_version *good, uint64_t patience_ms, const struct staging_ops *ops,
	void *arg)
{
	s->bus = bus;
	s->good = *good;
	s->patience_ms = patience_ms;
	s->ops = ops;
	s->arg = arg;
	s->started_at = clock_mono_ms();
	timer_init(loop, &s->beat, on_beat, s);
	return bus_watch_status(bus, on_status, s);
}

void staging_close(struct staging *s)
{
	s->closed = true;
	if (s->bus)
		timer_close(&s->beat, NULL);
}

void staging_report(const struct staging *s, cJSON *status)
{
	cJSON *o = cJSON_AddObjectToObject(status, "domainset"), *waiting;

	cJSON_AddStringToObject(o, "state", staging_state_text(s->state));
	cJSON_AddStringToObject(o, "blob", s->current.digest);
	cJSON_AddStringToObject(o, "in_force", s->good.digest);
	cJSON_AddNumberToObject(o, "gen", (double)s->gen);
	waiting = cJSON_AddArrayToObject(o, "waiting_for");
	for (size_t i = 0; s->state == STAGING_WAITING && i < s->consumers.n; i++) {
		const struct consumer *c = &s->consumers.v[i];
		char name[40];

		if (!c->subscribes[CONSUMER_DOMAINSET] || c->applied[CONSUMER_DOMAINSET] >= s->gen)
			continue;
		snprintf(name, sizeof(name), "%s/%s", bus_daemon_name(c->daemon), c->instance);
		cJSON_AddItemToArray(waiting, cJSON_CreateString(name));
	}
}
