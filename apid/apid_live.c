/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/apid.h"

static void on_more(void *arg, const char *device, const struct tally *more)
{
	struct apid *a = arg;

	statistics_add(&a->statistics, device, more);
}

static void on_list(void *arg, const char *device, const char *list, uint64_t hits)
{
	struct apid *a = arg;

	statistics_add_list(&a->statistics, device, list, hits);
}

static void on_row(void *arg, const struct live_row *row)
{
	statistics_add_row(arg, row);
}

static int open_statistics(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;

	a->statistics = (struct statistics){ .store = a->store,
		.publisher = a->publisher,
		.options = { .write_s = conf->statistics_write_s,
			.kept_s = { conf->statistics_minute_h * 3600,
				conf->statistics_hour_days * 86400,
				conf->statistics_day_days * 86400 },
			.domains_s = conf->statistics_domain_days * 86400,
			.rows_max = conf->statistics_rows } };
	a->tallies.on_more = on_more;
	a->tallies.on_list = on_list;
	a->tallies.arg = a;
	a->live.on_row = on_row;
	a->live.arg = &a->statistics;
	return statistics_open(&a->statistics, &d->loop);
}

/* Every apid hears of it: the one that publishes tells it on. */
static void on_alarm(void *arg, const struct alarm *alarm, bool is_new)
{
	struct apid *a = arg;

	if (is_new && store_is_publisher(a->store))
		notify_alarm(&a->notify, alarm);
}

int apid_open_live(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;
	int r = peers_open(&a->peers, &a->gateways, a->store);

	if (!r)
		r = tallies_open(&a->tallies, &a->gateways, a->store);
	if (!r)
		r = statuses_open(&a->statuses, d->bus, &a->gateways);
	if (!r)
		r = alarms_open(&a->alarms, &a->gateways);
	a->alarms.on_alarm = on_alarm;
	a->alarms.arg = a;
	a->live.api = &a->api;
	a->live.options = (struct live_options){ .readers_max = (size_t)conf->live_readers,
		.per_credential = (size_t)conf->live_readers_per_session,
		.ping_ms = (uint32_t)conf->live_ping_s * 1000,
		.instance = d->shared->instance };
	a->live.stats = (struct stats){ .tallies = &a->tallies,
		.peers = &a->peers,
		.statuses = &a->statuses,
		.alarms = &a->alarms };
	a->api.live = &a->live;
	a->api.metrics_token = conf->metrics_token.value;
	if (!r)
		r = live_open(&a->live);
	return r ? r : open_statistics(d, a);
}
