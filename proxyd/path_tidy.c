/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "proxyd/path_reader.h"
#include <string.h>

#define SWEEP_MS 20000
/* Who publishes answers what a reader that begins tells of itself. */
#define SETTLE_MS 1000
/* Without all topics: then it is enough that they are not known. */
#define SETTLE_MAX_MS 10000
/* Packets that were let through just now may be in no table yet. */
#define YOUNG_MS 5000

/* Of a run's findings those that are remembered are taken out; who remains is nobody's. */
static void on_flow(void *arg, struct path_flow *f)
{
	struct path_reader *r = arg;
	bool is_there = hmap_remove(&r->sweep.found, &f->key, sizeof(f->key));

	if (!is_there && !f->reading && uv_now(&r->p.d->loop) - f->began_ms > YOUNG_MS)
		path_forget(r, f);
}

static void kill_strangers(struct path_reader *r)
{
	hmap_foreach (&r->sweep.found, it) {
		struct path_key key;
		memcpy(&key, it.key, sizeof(key));
		path_live_kill(&r->live, &key);
	}
	log_notice("connections of before cut, policy has changed count=%zu", r->sweep.found.count);
	hmap_clear(&r->sweep.found);
}

static void on_swept(void *arg, struct path_sweep *s)
{
	struct path_reader *r = arg;

	if (r->p.stopping)
		return;
	r->swept_ms = uv_now(&r->p.d->loop);
	if (s->err) {
		log_warning("connections not read error=%s", strerror(-s->err));
		return;
	}
	path_flows_each(&r->flows, on_flow, r);
	if (r->strangers_due && s->found.count)
		kill_strangers(r);
	r->strangers_due = false;
	r->has_strangers = s->found.count > 0;
}

void path_tidy_init(struct path_reader *r)
{
	/* A former run's, perhaps. */
	r->has_strangers = true;
	path_sweep_init(&r->sweep, on_swept, r);
}

static void sweep(struct path_reader *r)
{
	int err = path_sweep_start(&r->sweep, &r->p.d->loop);

	if (err)
		log_warning("connections not read error=%s", strerror(-err));
}

static const enum bus_daemon owners[] = { BUS_APID, BUS_SYNCD };

/* What policy consists of, as far as it comes over the bus. */
static uint64_t stamp_of(const struct bus *b)
{
	uint64_t stamp = 0;

	for (int topic = 0; topic < BUS_TOPICS; topic++) {
		for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
			stamp = stamp * 31 + bus_topic_gen(b, (enum bus_topic)topic, owners[i]);
	}
	return stamp;
}

typedef bool topic_check(const struct bus *b, enum bus_topic topic, enum bus_daemon owner);

/* Is it so of each generation of the stamp? */
static bool is_of_all(const struct bus *b, topic_check *check)
{
	for (int topic = 0; topic < BUS_TOPICS; topic++) {
		for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
			if (!check(b, (enum bus_topic)topic, owners[i]))
				return false;
		}
	}
	return true;
}

bool path_policy_is_current(const struct path_reader *r)
{
	return is_of_all(r->p.d->bus, bus_topic_is_answered);
}

void path_tidy_begin(struct path_reader *r)
{
	const struct bus *b = r->p.d->bus;

	r->reading_since_ms = uv_now(&r->p.d->loop);
	/* What the disk had of policy may be older than what a former reader has noted: what passes
	 * now was not judged under that. */
	if (stamp_of(b) != r->judged.found || !is_of_all(b, bus_topic_is_applied))
		path_judged_set(&r->judged, 0);
}

static void judge_strangers(struct path_reader *r)
{
	r->strangers_due = true;
	sweep(r);
}

void path_policy_changed(struct path_reader *r)
{
	flows_judge(&r->p.flows);
	/* The bus also tells that what is applied is still so. */
	if (r->is_settled && r->has_strangers && !is_of_all(r->p.d->bus, bus_topic_is_applied))
		judge_strangers(r);
}

/* Was what passed before judged under this policy? Not asked before it is whole: a topic that is
 * late would look like a change. */
static void settle(struct path_reader *r, uint64_t now)
{
	uint64_t reading_ms = now - r->reading_since_ms;
	bool is_late = reading_ms >= SETTLE_MAX_MS;

	if (r->is_settled || reading_ms < SETTLE_MS || (!is_late && !path_policy_is_current(r)))
		return;
	r->is_settled = true;
	if (r->judged.found == stamp_of(r->p.d->bus))
		return;
	/* Fail closed. */
	if (is_late)
		log_warning("policy is not known whole yet, it counts as changed");
	judge_strangers(r);
}

/*
 * For the next reader: under which policy all that is open was judged. Noted here alone, once every
 * topic of the stamp is in force and what it cuts is cut; who dies before has the next one cut too
 * much. What judges nothing, as the counts of lists, changes generations too.
 */
static void note(struct path_reader *r)
{
	uint64_t stamp = stamp_of(r->p.d->bus);

	if (!r->is_settled || r->strangers_due || stamp == r->judged.stamp ||
		!is_of_all(r->p.d->bus, bus_topic_is_applied))
		return;
	if (stamp != r->due_stamp) {
		flows_judge(&r->p.flows);
		r->due_epoch = r->p.flows.epoch;
		r->due_stamp = stamp;
	}
	if (flows_are_judged(&r->p.flows, r->due_epoch) && path_live_is_sent(&r->live))
		path_judged_set(&r->judged, stamp);
}

/* Readings that are over, and the oldest of too many. */
static void end_readings(struct path_reader *r)
{
	uint64_t now = uv_now(&r->p.d->loop);

	while (!list_is_empty(&r->flows.readings)) {
		struct path_reading *g =
			container_of(r->flows.readings.next, struct path_reading, node);
		if (now - g->used_ms < PATH_READ_MS)
			return;
		path_end_reading(r, g->of);
	}
}

void path_tidy(struct path_reader *r)
{
	uint64_t now = uv_now(&r->p.d->loop);
	bool is_full = r->flows.count > r->flows.max / 4 * 3;

	end_readings(r);
	settle(r, now);
	note(r);
	if (r->strangers_due || now - r->swept_ms > (is_full ? SWEEP_MS / 10 : SWEEP_MS))
		sweep(r);
}

void path_make_room(struct path_reader *r, struct path_flow *except)
{
	struct path_flows *fs = &r->flows;

	while (fs->bytes > PATH_BYTES_MAX || fs->reading_count > PATH_READINGS_MAX) {
		struct path_reading *g = container_of(fs->readings.next, struct path_reading, node);
		if (g->of == except)
			return;
		path_end_reading(r, g->of);
	}
	/* Who is remembered no more is cut when policy changes. */
	while (fs->count >= fs->max && !list_is_empty(&r->p.flows.list)) {
		path_forget(r, container_of(r->p.flows.list.next, struct path_flow, live.node));
		r->has_strangers = true;
	}
}
