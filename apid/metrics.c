/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/metrics.h"
#include "apid/front.h"
#include "apid/store.h"
#include "common/timer.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers in the daemons' reports that are told. A counter's name ends with _total. */
static const struct fact {
	enum bus_daemon daemon;
	const char *path[2]; /* in the report; [1] NULL: a member of it */
	const char *name, *help;
} facts[] = {
	{ BUS_WGD, { "peers" }, "culvert_wgd_peers", "Peers in the kernel." },
	{ BUS_WGD, { "peers_online" }, "culvert_wgd_peers_online", "Peers with a session." },
	{ BUS_WGD, { "peers_silent" }, "culvert_wgd_peers_silent",
		"Peers that answer no handshake." },
	{ BUS_WGD, { "peers_flapping" }, "culvert_wgd_peers_flapping", "Peers that come and go." },
	{ BUS_WGD, { "quota", "over" }, "culvert_wgd_devices_over_quota",
		"Devices above their quota." },
	{ BUS_FWD, { "failing" }, "culvert_fwd_failing", "1: rules cannot be applied." },
	{ BUS_FWD, { "rewrites" }, "culvert_fwd_rewrites_total",
		"Times that all rules were written." },
	{ BUS_FWD, { "updates" }, "culvert_fwd_updates_total", "Times that sets were changed." },
	{ BUS_FWD, { "heals" }, "culvert_fwd_heals_total",
		"Times that rules changed by others were restored." },
	{ BUS_DNSD, { "queries" }, "culvert_dnsd_queries_total", "DNS queries." },
	{ BUS_DNSD, { "blocked" }, "culvert_dnsd_blocked_total", "DNS queries blocked." },
	{ BUS_DNSD, { "failed" }, "culvert_dnsd_failed_total", "DNS queries without an answer." },
	{ BUS_DNSD, { "malformed" }, "culvert_dnsd_malformed_total", "Malformed DNS messages." },
	{ BUS_DNSD, { "strangers" }, "culvert_dnsd_strangers_total",
		"DNS queries of no known device." },
	{ BUS_DNSD, { "cache_hits" }, "culvert_dnsd_cache_hits_total",
		"DNS queries answered from the cache." },
	{ BUS_DNSD, { "stale" }, "culvert_dnsd_stale_total", "DNS answers past their time." },
	{ BUS_DNSD, { "cache_entries" }, "culvert_dnsd_cache_entries", "DNS answers kept." },
	{ BUS_DNSD, { "cache_bytes" }, "culvert_dnsd_cache_bytes", "Their size." },
	{ BUS_PROXYD, { "accepted" }, "culvert_proxyd_accepted_total", "Connections accepted." },
	{ BUS_PROXYD, { "refused_clients" }, "culvert_proxyd_refused_clients_total",
		"Connections of no known device." },
	{ BUS_PROXYD, { "requests" }, "culvert_proxyd_requests_total", "Web requests." },
	{ BUS_PROXYD, { "allowed" }, "culvert_proxyd_allowed_total", "Web requests let through." },
	{ BUS_PROXYD, { "blocked" }, "culvert_proxyd_blocked_total", "Web requests blocked." },
	{ BUS_PROXYD, { "failed" }, "culvert_proxyd_failed_total",
		"Web requests without an answer." },
	{ BUS_PROXYD, { "pooled" }, "culvert_proxyd_pooled", "Idle connections to servers." },
	{ BUS_PROXYD, { "spliced_now" }, "culvert_proxyd_spliced",
		"Connections passed on undecrypted." },
	{ BUS_PROXYD, { "spliced_bytes" }, "culvert_proxyd_spliced_bytes_total", "Their bytes." },
	{ BUS_PROXYD, { "flows_cut" }, "culvert_proxyd_flows_cut_total",
		"Connections cut by a change of policy." },
	{ BUS_PROXYD, { "masked_words" }, "culvert_proxyd_masked_words_total", "Words masked." },
	{ BUS_PROXYD, { "hidden_images" }, "culvert_proxyd_hidden_images_total", "Images hidden." },
	{ BUS_PROXYD, { "appeals_waiting" }, "culvert_proxyd_appeals_waiting",
		"Appeals that apid has not stored yet." },
	{ BUS_APID, { "database" }, "culvert_apid_database", "1: the database is there." },
	{ BUS_APID, { "publishes" }, "culvert_apid_publishes", "1: this process publishes." },
	{ BUS_APID, { "live_readers" }, "culvert_apid_live_readers", "WebSockets open." },
	{ BUS_APID, { "live_rows" }, "culvert_apid_live_rows_total", "Rows sent to them." },
	{ BUS_APID, { "live_dropped" }, "culvert_apid_live_dropped_total",
		"Rows that readers were too slow for." },
	{ BUS_SYNCD, { "directus", "rounds" }, "culvert_syncd_directus_rounds_total",
		"Times that Directus was read." },
	{ BUS_SYNCD, { "directus", "held" }, "culvert_syncd_directus_held",
		"Collections whose missing rows wait to be confirmed." },
	{ BUS_SYNCD, { "directus_appeals", "waiting" }, "culvert_syncd_appeals_waiting",
		"Appeals that Directus has not stored yet." },
};

/* The same of all daemons. */
static const struct fact bus_facts[] = {
	{ .path = { "bus", "connects" },
		.name = "culvert_bus_connects_total",
		.help = "Connections made to Redis." },
	{ .path = { "bus", "connection_failures" },
		.name = "culvert_bus_connection_failures_total",
		.help = "Connections to Redis that failed." },
	{ .path = { "bus", "bad_messages" },
		.name = "culvert_bus_bad_messages_total",
		.help = "Messages that could not be read." },
	{ .path = { "bus", "unusable" },
		.name = "culvert_bus_unusable_total",
		.help = "Records that could not be used." },
	{ .path = { "bus", "events_dropped" },
		.name = "culvert_bus_events_dropped_total",
		.help = "Events that were not sent." },
	{ .path = { "bus", "publish_errors" },
		.name = "culvert_bus_publish_errors_total",
		.help = "Changes that Redis did not take." },
	{ .path = { "uptime_s" },
		.name = "culvert_uptime_seconds",
		.help = "Seconds since the daemon started." },
};

struct reports {
	const struct report *v[REPORTS_MAX];
	size_t n;
	int64_t now;
};

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *type_of(const char *name)
{
	size_t len = strlen(name);

	return len > 6 && !strcmp(name + len - 6, "_total") ? "counter" : "gauge";
}

/* Instances are of letters and digits; versions and tunnels' names may come from elsewhere. */
static void add_label(struct buf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			buf_append_str(out, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_printf(out, "\\%c", *value);
		else
			buf_append_byte(out, (uint8_t)*value);
	}
}

/* Only where there are several: names are of letters, digits and hyphens. */
static void add_gateway(struct buf *out, const char *gateway)
{
	if (*gateway)
		buf_printf(out, ",gateway=\"%s\"", gateway);
}

static void add_daemon(struct buf *out, const char *name, const struct report *r)
{
	buf_printf(out, "%s{daemon=\"%s\",instance=\"%s\"", name, bus_daemon_name(r->daemon),
		r->instance);
	add_gateway(out, r->gateway);
}

static void add_instance(struct buf *out, const char *name, const struct report *r)
{
	buf_printf(out, "%s{instance=\"%s\"", name, r->instance);
	add_gateway(out, r->gateway);
}

/* ---- reports ---- */

static bool fact_value(const struct report *r, const struct fact *f, double *out)
{
	const cJSON *value = json_get(r->json, f->path[0]);

	if (f->path[1])
		value = json_get(value, f->path[1]);
	if (cJSON_IsBool(value))
		*out = cJSON_IsTrue(value);
	else if (cJSON_IsNumber(value) && isfinite(value->valuedouble))
		*out = value->valuedouble;
	else
		return false;
	return true;
}

static void add_fact(
	struct buf *out, const struct reports *reports, const struct fact *f, bool of_all)
{
	bool has_head = false;

	for (size_t i = 0; i < reports->n; i++) {
		const struct report *r = reports->v[i];
		double value;

		if ((!of_all && r->daemon != f->daemon) || !report_is_up(r, reports->now) ||
			!fact_value(r, f, &value))
			continue;
		if (!has_head)
			head(out, f->name, type_of(f->name), f->help);
		has_head = true;
		if (of_all)
			add_daemon(out, f->name, r);
		else
			add_instance(out, f->name, r);
		buf_printf(out, "} %.17g\n", value);
	}
}

static void add_facts(struct buf *out, const struct reports *reports)
{
	for (size_t i = 0; i < sizeof(bus_facts) / sizeof(bus_facts[0]); i++)
		add_fact(out, reports, &bus_facts[i], true);
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		add_fact(out, reports, &facts[i], false);
}

static void add_up(struct buf *out, const struct statuses *s, const struct reports *reports)
{
	struct absent absent[ABSENT_MAX];
	size_t absent_count;

	head(out, "culvert_up", "gauge", "1: the daemon has reported within 15 seconds.");
	for (size_t i = 0; i < reports->n; i++) {
		add_daemon(out, "culvert_up", reports->v[i]);
		buf_printf(out, "} %d\n", report_is_up(reports->v[i], reports->now));
	}
	absent_count = statuses_absent(s, absent);
	for (size_t i = 0; i < absent_count; i++) {
		buf_printf(out, "culvert_up{daemon=\"%s\",instance=\"\"",
			bus_daemon_name(absent[i].daemon));
		add_gateway(out, absent[i].gateway);
		buf_append_str(out, "} 0\n");
	}
	if (!reports->n)
		return;
	head(out, "culvert_version_info", "gauge", "Which version the daemon is of.");
	for (size_t i = 0; i < reports->n; i++) {
		add_daemon(out, "culvert_version_info", reports->v[i]);
		buf_append_str(out, ",version=\"");
		add_label(out, reports->v[i]->version);
		buf_append_str(out, "\"} 1\n");
	}
}

/* Topics are those of the schema: the bus reports no others. */
static void add_lag(struct buf *out, const struct statuses *s, const struct reports *reports)
{
	head(out, "culvert_lag_topics", "gauge",
		"Topics of which the daemon has not applied the newest generation.");
	for (size_t i = 0; i < reports->n; i++) {
		struct lag lags[64];

		if (!report_is_up(reports->v[i], reports->now))
			continue;
		add_daemon(out, "culvert_lag_topics", reports->v[i]);
		buf_printf(out, "} %zu\n", statuses_lags(s, reports->v[i], lags, 64));
	}
	head(out, "culvert_applied_generation", "gauge", "Generation of a topic that is in force.");
	for (size_t i = 0; i < reports->n; i++) {
		const cJSON *one;

		if (!report_is_up(reports->v[i], reports->now))
			continue;
		cJSON_ArrayForEach (one, json_get(reports->v[i]->json, "applied")) {
			if (!cJSON_IsNumber(one))
				continue;
			add_daemon(out, "culvert_applied_generation", reports->v[i]);
			buf_append_str(out, ",topic=\"");
			add_label(out, one->string);
			buf_printf(out, "\"} %.17g\n", one->valuedouble);
		}
	}
}

/* Reasons are fwd's own, a handful. */
static void add_refused(struct buf *out, const struct reports *reports)
{
	static const char name[] = "culvert_fwd_refused_packets_total";
	bool has_head = false;

	for (size_t i = 0; i < reports->n; i++) {
		const struct report *r = reports->v[i];
		const cJSON *one;

		if (r->daemon != BUS_FWD || !report_is_up(r, reports->now))
			continue;
		cJSON_ArrayForEach (one, json_get(r->json, "refused_packets")) {
			if (!cJSON_IsString(one))
				continue;
			if (!has_head)
				head(out, name, "counter", "Packets refused, by the reason.");
			has_head = true;
			add_instance(out, name, r);
			buf_append_str(out, ",reason=\"");
			add_label(out, one->string);
			buf_printf(out, "\"} %llu\n", strtoull(one->valuestring, NULL, 10));
		}
	}
}

/* ---- of this process ---- */

static void add_totals(struct buf *out, const struct live *l)
{
	const struct tally *t = &l->stats.tallies->total;

	head(out, "culvert_device_queries_total", "counter",
		"DNS queries of known devices, by verdict.");
	buf_printf(out,
		"culvert_device_queries_total{verdict=\"allow\"} %llu\n"
		"culvert_device_queries_total{verdict=\"deny\"} %llu\n"
		"culvert_device_queries_total{verdict=\"failed\"} %llu\n",
		(unsigned long long)t->dns_allowed, (unsigned long long)t->dns_blocked,
		(unsigned long long)t->dns_failed);
	head(out, "culvert_device_requests_total", "counter",
		"Web requests of known devices, by verdict.");
	buf_printf(out,
		"culvert_device_requests_total{verdict=\"allow\"} %llu\n"
		"culvert_device_requests_total{verdict=\"deny\"} %llu\n"
		"culvert_device_requests_total{verdict=\"unknown\"} %llu\n"
		"culvert_device_requests_total{verdict=\"failed\"} %llu\n",
		(unsigned long long)t->web_allowed, (unsigned long long)t->web_blocked,
		(unsigned long long)t->web_unknown, (unsigned long long)t->web_failed);
	head(out, "culvert_device_web_bytes_total", "counter", "Bytes of web answers to devices.");
	buf_printf(out, "culvert_device_web_bytes_total %llu\n", (unsigned long long)t->web_bytes);
	head(out, "culvert_devices", "gauge", "Devices that there are.");
	buf_printf(out, "culvert_devices %zu\n", store_table(l->stats.store, TOPIC_devices)->n);
	head(out, "culvert_devices_online", "gauge", "Devices with a session.");
	buf_printf(out, "culvert_devices_online %zu\n", stats_online(&l->stats, NULL));
	head(out, "culvert_alarms_total", "counter", "Alarms raised since apid's start.");
	for (int d = 0; d < BUS_DAEMONS; d++)
		buf_printf(out, "culvert_alarms_total{daemon=\"%s\"} %llu\n",
			bus_daemon_name((enum bus_daemon)d),
			(unsigned long long)l->stats.alarms->raised[d]);
}

static void add_requests(struct buf *out, const struct front_stats *s)
{
	static const char name[] = "culvert_apid_request_seconds";
	uint64_t sum = 0;

	head(out, "culvert_apid_requests_total", "counter",
		"Requests answered by the administration, by class of status.");
	for (int i = 1; i <= 5; i++)
		buf_printf(out, "culvert_apid_requests_total{class=\"%dxx\"} %llu\n", i,
			(unsigned long long)s->by_class[i]);
	head(out, name, "histogram", "How long their answers took.");
	for (int i = 0; i < FRONT_BUCKETS; i++) {
		sum += s->buckets[i];
		if (i + 1 < FRONT_BUCKETS)
			buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name,
				front_bucket_us[i] / 1e6, (unsigned long long)sum);
		else
			buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name,
				(unsigned long long)sum);
	}
	buf_printf(out, "%s_sum %.6f\n%s_count %llu\n", name, (double)s->sum_us / 1e6, name,
		(unsigned long long)sum);
}

int metrics_write(const struct metrics_source *m, struct buf *out)
{
	struct reports reports = { .now = clock_wall_ms() };
	const struct statuses *s = m->live->stats.statuses;

	reports.n = statuses_sorted(s, reports.v, REPORTS_MAX);
	add_up(out, s, &reports);
	add_lag(out, s, &reports);
	add_facts(out, &reports);
	add_refused(out, &reports);
	add_totals(out, m->live);
	add_requests(out, m->fronts);
	return out->failed;
}
