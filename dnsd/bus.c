/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/dnsd.h"
#include <errno.h>

/* Its addresses may be others now. */
static void on_device(void *arg, struct device_view *v)
{
	struct dnsd *d = arg;

	feeder_forget_device(&d->feeder, v->id);
}

static void on_gone(void *arg, struct device_view *v)
{
	struct dnsd *d = arg;

	feeder_forget_device(&d->feeder, v->id);
	client_unref(v->user);
	v->user = NULL;
}

static void report_applied(struct dnsd *d)
{
	if (d->directory && directory_is_known(d->directory) && !d->rebind_lost)
		directory_applied(d->directory);
}

static void on_batch_end(void *arg)
{
	struct dnsd *d = arg;

	if (d->rebind_lost)
		dnsd_features_renew(d);
	if (d->rebind_lost)
		bus_record_lost(d->daemon->bus);
	report_applied(d);
}

static void on_settings(void *arg, const struct settings *s)
{
	struct dnsd *d = arg;

	(void)s;
	if (d->directory)
		dnsd_features_renew(d);
	report_applied(d);
}

/* Nothing that is kept depends on policy: it acts behind the cache. */
static void on_policy_change(void *arg)
{
	(void)arg;
}

static void add_count(cJSON *status, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(status, name, (double)value);
}

static void fill_status(void *arg, cJSON *status)
{
	const struct dnsd *d = arg;
	const struct dnsd_counters *c = &d->counters;

	if (d->policy)
		cJSON_AddBoolToObject(status, "policy_known", policy_is_known(d->policy));
	add_count(status, "queries", c->queries);
	add_count(status, "strangers", c->strangers);
	add_count(status, "malformed", c->malformed);
	add_count(status, "unready", c->unready);
	add_count(status, "cache_hits", c->hits);
	add_count(status, "stale", c->stale);
	add_count(status, "blocked", c->blocked);
	add_count(status, "failed", c->failed);
	add_count(status, "busy", c->busy);
	add_count(status, "cache_entries", d->cache.count);
	add_count(status, "cache_bytes", d->cache.bytes);
	add_count(status, "fed", d->feeder.counters.confirmed);
	add_count(status, "feed_refused", d->feeder.counters.refused);
	add_count(status, "feed_failed", d->feeder.counters.failed);
	add_count(status, "answers_held", d->feeder.counters.held);
	add_count(status, "answers_unconfirmed", d->feeder.counters.late);
	add_count(status, "listed_resolved", d->listed.counters.resolved);
	add_count(status, "listed_too_many", d->listed.counters.too_many);
	add_count(status, "shared_skipped", d->listed.counters.skipped_shared);
	add_count(status, "shared_removed", d->listed.counters.removed_shared);
}

int dnsd_bus_start(struct dnsd *d)
{
	static const struct directory_ops ops = { .on_device = on_device,
		.on_gone = on_gone,
		.on_batch_end = on_batch_end,
		.on_settings = on_settings };
	struct bus *bus = d->daemon->bus;

	bus_set_status_source(bus, fill_status, d);
	d->directory = directory_open(&d->daemon->loop, bus, &ops, d);
	if (!d->directory)
		return -ENOMEM;
	d->policy = policy_open(&d->daemon->loop, bus, d->directory, on_policy_change, d);
	if (!d->policy)
		return -ENOMEM;
	d->listed.policy = d->policy;
	dnsd_features_renew(d);
	report_applied(d);
	return dnsd_explain_serve(d);
}

void dnsd_bus_stop(struct dnsd *d)
{
	if (d->policy)
		policy_close(d->policy);
	d->policy = d->listed.policy = NULL;
	if (!d->directory)
		return;
	for (struct device_view *v = NULL; (v = directory_next(d->directory, v));)
		on_gone(d, v);
	directory_close(d->directory);
	d->directory = NULL;
}
