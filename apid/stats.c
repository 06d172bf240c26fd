/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/stats.h"
#include "common/timer.h"

#include <stdlib.h>
#include <string.h>

enum { LAGS_MAX = 64, ALARMS_TOLD = 5 };

/* ---- daemons ---- */

static int64_t number_of(const cJSON *json, const char *name)
{
	int64_t n = 0;

	json_get_int(json_get(json, name), &n);
	return n;
}

cJSON *stats_daemon(const struct statuses *s, const struct report *r)
{
	struct lag lags[LAGS_MAX];
	size_t n = statuses_lags(s, r, lags, LAGS_MAX);
	cJSON *o = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(o, "daemon", bus_daemon_name(r->daemon));
	cJSON_AddStringToObject(o, "gateway", r->gateway);
	cJSON_AddStringToObject(o, "instance", r->instance);
	cJSON_AddStringToObject(
		o, "state", report_is_up(r, clock_wall_ms()) ? "running" : "missing");
	cJSON_AddStringToObject(o, "version", r->version);
	cJSON_AddNumberToObject(o, "uptime_s", (double)number_of(r->json, "uptime_s"));
	cJSON_AddNumberToObject(o, "at", (double)r->at);
	list = cJSON_AddArrayToObject(o, "lag");
	for (size_t i = 0; i < n; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "topic", lags[i].topic);
		cJSON_AddNumberToObject(one, "gen", (double)lags[i].gen);
		cJSON_AddNumberToObject(one, "applied", (double)lags[i].applied);
		cJSON_AddItemToArray(list, one);
	}
	return o;
}

cJSON *stats_daemon_missing(enum bus_daemon d, const char *gateway)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "daemon", bus_daemon_name(d));
	cJSON_AddStringToObject(o, "gateway", gateway);
	cJSON_AddStringToObject(o, "instance", "");
	cJSON_AddStringToObject(o, "state", "missing");
	cJSON_AddStringToObject(o, "version", "");
	cJSON_AddNumberToObject(o, "uptime_s", 0);
	cJSON_AddNumberToObject(o, "at", 0);
	cJSON_AddArrayToObject(o, "lag");
	return o;
}

cJSON *stats_daemons(const struct statuses *s)
{
	const struct report *reports[REPORTS_MAX];
	struct absent absent[ABSENT_MAX];
	size_t n = statuses_sorted(s, reports, REPORTS_MAX), i = 0;
	size_t absent_count = statuses_absent(s, absent), k = 0;
	cJSON *list = cJSON_CreateArray();

	for (int d = 0; d < BUS_DAEMONS; d++) {
		for (; k < absent_count && absent[k].daemon == (enum bus_daemon)d; k++)
			cJSON_AddItemToArray(
				list, stats_daemon_missing(absent[k].daemon, absent[k].gateway));
		for (; i < n && reports[i]->daemon == (enum bus_daemon)d; i++)
			cJSON_AddItemToArray(list, stats_daemon(s, reports[i]));
	}
	return list;
}

cJSON *stats_alarm(const struct alarm *a)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "daemon", bus_daemon_name(a->daemon));
	cJSON_AddStringToObject(o, "gateway", a->gateway);
	cJSON_AddStringToObject(o, "what", a->what);
	cJSON_AddStringToObject(o, "detail", a->detail);
	cJSON_AddNumberToObject(o, "first_at", (double)a->first_at);
	cJSON_AddNumberToObject(o, "at", (double)a->at);
	cJSON_AddNumberToObject(o, "count", (double)a->count);
	return o;
}

/* ---- totals ---- */

/* What is summed up over devices. */
struct sums {
	struct tally tally;
	size_t devices, online;
	uint64_t rx_bytes, tx_bytes;
};

static void add_device(const struct stats *s, const struct table_row *row, int64_t now,
	struct sums *sums, bool with_tally)
{
	const struct peer_info *peer = peers_find(s->peers, row->id);
	const struct tally *t = with_tally ? hmap_find_str(&s->tallies->by_device, row->id) : NULL;

	sums->devices++;
	if (t)
		tally_add(&sums->tally, t);
	if (!peer)
		return;
	sums->online += peer_is_online(peer, now);
	sums->rx_bytes += strtoull(peer->rx_bytes, NULL, 10);
	sums->tx_bytes += strtoull(peer->tx_bytes, NULL, 10);
}

static void sum_up(const struct stats *s, const struct group_set *groups, struct sums *sums)
{
	const struct table *devices = store_table(s->store, TOPIC_devices);
	int64_t now = clock_wall_ms();

	*sums = (struct sums){ 0 };
	for (size_t i = 0; i < devices->n; i++) {
		const struct table_row *row = devices->sorted[i];

		if (group_set_has(groups, row->group))
			add_device(s, row, now, sums, groups);
	}
	if (!groups)
		sums->tally = s->tallies->total;
}

size_t stats_online(const struct stats *s, const struct group_set *groups)
{
	struct sums sums;

	sum_up(s, groups, &sums);
	return sums.online;
}

static void add_number(cJSON *o, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(o, name, (double)value);
}

static void add_sums(cJSON *o, const struct sums *sums)
{
	const struct tally *t = &sums->tally;
	cJSON *part = cJSON_AddObjectToObject(o, "dns");

	add_number(part, "allowed", t->dns_allowed);
	add_number(part, "blocked", t->dns_blocked);
	add_number(part, "failed", t->dns_failed);
	part = cJSON_AddObjectToObject(o, "web");
	add_number(part, "allowed", t->web_allowed);
	add_number(part, "blocked", t->web_blocked);
	add_number(part, "unknown", t->web_unknown);
	add_number(part, "failed", t->web_failed);
	add_number(part, "bytes", t->web_bytes);
	part = cJSON_AddObjectToObject(o, "refused");
	add_number(part, "packets", t->refused_packets);
	add_number(part, "bytes", t->refused_bytes);
	part = cJSON_AddObjectToObject(o, "devices");
	add_number(part, "total", sums->devices);
	add_number(part, "online", sums->online);
	part = cJSON_AddObjectToObject(o, "tunnel");
	add_number(part, "rx_bytes", sums->rx_bytes);
	add_number(part, "tx_bytes", sums->tx_bytes);
}

/* What proxyd's processes have open now, as they reported last. */
static void add_connections(cJSON *o, const struct statuses *s)
{
	const struct report *reports[REPORTS_MAX];
	size_t n = statuses_sorted(s, reports, REPORTS_MAX);
	int64_t now = clock_wall_ms(), open = 0, spliced = 0, in_path = 0;
	cJSON *part = cJSON_AddObjectToObject(o, "connections");

	for (size_t i = 0; i < n; i++) {
		const cJSON *r = reports[i]->json;

		if (reports[i]->daemon != BUS_PROXYD || !report_is_up(reports[i], now))
			continue;
		open += number_of(r, "connections");
		spliced += number_of(r, "spliced_now");
		in_path += number_of(r, "flows");
	}
	cJSON_AddNumberToObject(part, "open", (double)open);
	cJSON_AddNumberToObject(part, "undecrypted", (double)spliced);
	cJSON_AddNumberToObject(part, "in_path", (double)in_path);
}

static void add_alarms(cJSON *o, const struct alarms *alarms)
{
	cJSON *list = cJSON_AddArrayToObject(o, "alarms");
	int n = 0;

	list_foreach (&alarms->all, it) {
		if (n++ < ALARMS_TOLD)
			cJSON_AddItemToArray(
				list, stats_alarm(container_of(it, struct alarm, node)));
	}
}

char *stats_make(const struct stats *s, const struct group_set *groups)
{
	cJSON *o = cJSON_CreateObject();
	struct sums sums;
	char *text;

	if (!o)
		return NULL;
	sum_up(s, groups, &sums);
	cJSON_AddStringToObject(o, "type", "stats");
	cJSON_AddNumberToObject(o, "at", (double)clock_wall_ms());
	cJSON_AddNumberToObject(o, "since", (double)s->tallies->since);
	add_sums(o, &sums);
	cJSON_AddItemToObject(o, "daemons", stats_daemons(s->statuses));
	if (!groups) {
		add_connections(o, s->statuses);
		add_alarms(o, s->alarms);
	}
	text = json_format(o);
	cJSON_Delete(o);
	return text;
}
