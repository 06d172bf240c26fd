/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/bus.h"
#include "common/log.h"
#include "proxyd/appeals.h"
#include "proxyd/filtering.h"
#include "proxyd/ignored.h"
#include "proxyd/pool.h"
#include <errno.h>
#include <string.h>

/* Whose record counts depends on the settings, too. */
static void renew_ignored(struct proxy *p)
{
	if (p->ignored && p->policy)
		ignored_renew(p->ignored);
}

/* Requests are judged as they come, so that what was delivered is in force at once. */
static void on_devices(void *arg)
{
	struct proxy *p = arg;

	renew_ignored(p);
	flows_judge(&p->flows);
	if (p->dir)
		directory_applied(p->dir);
	filtering_settings_changed(p->filtering);
}

static void on_profile(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct proxy *p = arg;
	struct profile def;
	char why[160] = "";
	int err = rec ? profile_parse(rec, &def, why, sizeof(why)) : 0;

	(void)topic;
	(void)owner;
	if (!err)
		err = guard_set_profile(&p->guard, id, rec ? &def : NULL);
	else if (err != -ENOMEM)
		guard_set_profile(&p->guard, id, NULL);
	if (err == -ENOMEM)
		bus_record_lost(p->d->bus);
	else if (err && rec)
		log_warning("profile refused name=%s error=%s why=\"%s\"", id, strerror(-err), why);
}

static void on_profiles_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct proxy *p = arg;

	flows_judge(&p->flows);
	bus_topic_applied(p->d->bus, topic, owner, gen);
}

static void on_policy(void *arg)
{
	struct proxy *p = arg;

	renew_ignored(p);
	flows_judge(&p->flows);
}

static void add_count(cJSON *status, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(status, name, (double)value);
}

static void on_status(void *arg, cJSON *status)
{
	const struct proxy *p = arg;

	add_count(status, "accepted", p->accepted);
	add_count(status, "connections", p->connections);
	add_count(status, "refused_clients", p->refused_clients);
	add_count(status, "requests", p->requests);
	add_count(status, "allowed", p->allowed);
	add_count(status, "blocked", p->blocked);
	add_count(status, "failed", p->failed);
	add_count(status, "pooled", pool_count(p->pool));
	add_count(status, "reused", p->reused);
	add_count(status, "spliced_now", p->splicer.count);
	add_count(status, "spliced_bytes", p->splicer.bytes);
	add_count(status, "flows_cut", p->flows.cut);
	add_count(status, "appeals", p->appeals_stored);
	add_count(status, "appeals_waiting", bus_queue_spooled(p->d->bus, QUEUE_appeals));
	if (p->ignored)
		add_count(status, "ignored_addresses", ignored_count(p->ignored));
	filtering_report(p->filtering, status);
	accesses_report(p, status);
	pins_report(p, status);
	add_count(status, "leaves_made", cert_minter_made(p->minter));
}

struct device_view *proxy_device(struct proxy *p, const struct addr *a)
{
	return p->dir && !p->stopping ? directory_find(p->dir, a) : NULL;
}

int proxy_bus_open(struct proxy *p)
{
	static const struct directory_ops ops = { .on_batch_end = on_devices };
	static const struct bus_topic_ops profile_ops = { on_profile, on_profiles_end };
	int err;

	p->dir = directory_open(&p->d->loop, p->d->bus, &ops, p);
	if (!p->dir)
		return -ENOMEM;
	p->policy = policy_open(&p->d->loop, p->d->bus, p->dir, on_policy, p);
	if (!p->policy)
		return -ENOMEM;
	renew_ignored(p);
	directory_applied(p->dir);
	p->appeals = appeals_open(p);
	if (!p->appeals)
		return -ENOMEM;
	err = bus_subscribe(p->d->bus, TOPIC_profiles, BUS_APID, &profile_ops, p);
	if (!err)
		err = own_names_subscribe(&p->guard.names, p->d->bus);
	if (!err)
		err = filtering_open(&p->d->loop, p->d->bus, p->dir, (size_t)p->conf->image_cache,
			&p->filtering);
	if (!err)
		err = accesses_open(p);
	if (!err)
		err = pins_open(p);
	if (err)
		return err;
	bus_set_status_source(p->d->bus, on_status, p);
	return 0;
}

void proxy_bus_close(struct proxy *p)
{
	bus_set_status_source(p->d->bus, NULL, NULL);
	filtering_close(p->filtering);
	accesses_close(p);
	pins_close(p);
	if (p->policy)
		policy_close(p->policy);
	if (p->dir)
		directory_close(p->dir);
	p->policy = NULL;
	p->dir = NULL;
}
