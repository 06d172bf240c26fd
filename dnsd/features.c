/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/dnsd.h"

#include "common/log.h"
#include "common/random.h"
#include "dnsd/alarm.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { CLOCK_LOOK_MS = 5000, CLOCK_JUMP_MS = 600000 };

/* ---- the admin's records ---- */

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct dnsd *d = arg;
	int rc = records_set(&d->records, id, rec);

	(void)topic;
	(void)owner;
	if (rc == -ENOMEM)
		bus_record_lost(d->daemon->bus);
	else if (rc)
		log_warning("DNS record unusable id=%s error=%s", id, strerror(-rc));
}

static void on_records_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct dnsd *d = arg;

	if (records_index(&d->records))
		bus_record_lost(d->daemon->bus);
	else
		bus_topic_applied(d->daemon->bus, topic, owner, gen);
}

/* ---- the clock ---- */

static int64_t clock_offset(void)
{
	return clock_wall_ms() - (int64_t)clock_mono_ms();
}

/* D11: somebody set it; schedules and ends of entitlements go by it. */
static void on_clock(struct timer *t)
{
	struct dnsd *d = t->data;
	int64_t offset_ms = clock_offset(), jump_ms = offset_ms - d->clock_offset_ms;

	d->clock_offset_ms = offset_ms;
	if (d->rebind_lost)
		dnsd_features_renew(d);
	if (jump_ms < CLOCK_JUMP_MS && jump_ms > -CLOCK_JUMP_MS)
		return;
	log_warning("the clock has jumped seconds=%" PRId64, jump_ms / 1000);
	alarm_send(d->daemon->bus, "clock_jump", "seconds=%" PRId64, jump_ms / 1000);
}

/* ---- judgements ---- */

void dnsd_judge(struct dnsd *d, struct judge *out)
{
	out->policy = d->policy;
	out->settings = d->directory ? directory_settings(d->directory) : NULL;
	out->shared = &d->conf->shared;
	out->portal_host = out->settings && out->settings->portal_host ? out->settings->portal_host
								       : d->conf->portal_host;
	out->canary = &d->canary;
	out->records = &d->records;
	out->safesearch = &d->safesearch;
	out->rebind = &d->rebind;
	out->block.mode = (enum block_mode)d->conf->block_mode;
	out->block.addresses = d->block_addresses;
	out->block.address_count = d->conf->block_addresses.n;
	out->has_ipv6 = d->conf->ipv6 == DNSD_IPV6_AUTO ? d->uplink.has_ipv6
							: d->conf->ipv6 == DNSD_IPV6_YES;
	out->alias = &d->alias;
}

void dnsd_features_renew(struct dnsd *d)
{
	for (size_t i = 0; i < d->conf->block_addresses.n; i++)
		addr_parse(d->conf->block_addresses.v[i], &d->block_addresses[i]);
	d->listed.forwarder = d->forwarder;
	d->rebind_lost = d->directory &&
			 rebind_set(&d->rebind, &d->conf->shared, directory_settings(d->directory));
	if (d->rebind_lost)
		log_error("no memory for the LAN's prefixes");
}

/* ---- life ---- */

int dnsd_features_start(struct dnsd *d)
{
	static const struct bus_topic_ops ops = { on_record, on_records_end };
	uv_loop_t *loop = &d->daemon->loop;
	struct bus *bus = d->daemon->bus;

	records_init(&d->records);
	safesearch_init(&d->safesearch);
	if (random_bytes(NULL, d->cookie_secret, sizeof(d->cookie_secret)))
		return -EIO;
	int rc = feeder_open(&d->feeder, loop, bus);
	d->feeder_open = !rc;
	if (!rc) {
		rc = listed_open(&d->listed, loop, bus, &d->feeder, &d->cache);
		d->listed_open = !rc;
	}
	if (!rc)
		rc = watches_open(&d->watches, bus);
	if (!rc)
		rc = timer_init(loop, &d->clock, on_clock, d);
	if (rc)
		return rc;
	d->clock_open = true;
	d->clock_offset_ms = clock_offset();
	timer_start(&d->clock, CLOCK_LOOK_MS, CLOCK_LOOK_MS);
	dnsd_features_renew(d);
	return bus_subscribe(bus, TOPIC_dns_records, BUS_APID, &ops, d);
}

void dnsd_features_stop(struct dnsd *d)
{
	if (d->feeder_open)
		feeder_close(&d->feeder);
	if (d->listed_open)
		listed_close(&d->listed);
	if (d->clock_open)
		timer_close(&d->clock, NULL);
	d->feeder_open = d->listed_open = d->clock_open = false;
}

void dnsd_features_fini(struct dnsd *d)
{
	feeder_fini(&d->feeder);
	listed_fini(&d->listed);
	watches_fini(&d->watches);
	records_fini(&d->records);
	rebind_fini(&d->rebind);
}
