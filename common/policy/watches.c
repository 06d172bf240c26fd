/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/watches.h"

#include <errno.h>
#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

static void free_watch(void *value)
{
	rec_fini(REC_watch, value);
	free(value);
}

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct watches *w = arg;
	struct rec_watch *copy;

	(void)topic;
	(void)owner;
	if (!rec) {
		hmap_remove_str(&w->records, id);
		return;
	}
	copy = calloc(1, sizeof(*copy));
	if (!copy || rec_copy(REC_watch, rec, copy)) {
		free(copy);
		bus_record_lost(w->bus);
		return;
	}
	if (hmap_set_str(&w->records, id, copy)) {
		free_watch(copy);
		bus_record_lost(w->bus);
	}
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	const struct watches *w = arg;

	bus_topic_applied(w->bus, topic, owner, gen);
}

int watches_open(struct watches *w, struct bus *bus)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };

	w->bus = bus;
	w->psl = psl_builtin();
	hmap_init(&w->records, free_watch);
	return bus_subscribe(bus, TOPIC_watch, BUS_APID, &ops, w);
}

void watches_fini(struct watches *w)
{
	hmap_fini(&w->records);
}

static bool names(const struct rec_watch *r, const char *device)
{
	for (size_t i = 0; i < r->devices.n; i++) {
		if (!strcmp(r->devices.v[i], "*") || !strcmp(r->devices.v[i], device))
			return true;
	}
	return false;
}

bool watches_are_any(const struct watches *w, const struct settings *s)
{
	return w->records.count || s->query_log;
}

bool watches_has(const struct watches *w, const struct device_view *v, const struct settings *s,
	int64_t now_ms)
{
	if (v->privacy == PRIVACY_NONE || v->privacy == PRIVACY_COUNTS)
		return false;
	if (s->query_log)
		return true;
	hmap_foreach (&w->records, it) {
		const struct rec_watch *r = it.value;
		if (r->until > now_ms && names(r, v->id))
			return true;
	}
	return false;
}

const char *watches_domain(const struct watches *w, const char *name)
{
	const char *domain = w->psl ? psl_registrable_domain(w->psl, name) : NULL;

	if (domain)
		return domain;
	return w->psl && psl_is_public_suffix(w->psl, name) ? name : "";
}
