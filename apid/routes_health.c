/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/live.h"
#include "apid/routes.h"
#include "common/timer.h"

#include <string.h>

/* GET /api/v1/health: every daemon, what it is behind with, and the alarms. */

static bool is_whole(const struct statuses *s)
{
	const struct report *reports[REPORTS_MAX];
	size_t n = statuses_sorted(s, reports, REPORTS_MAX);
	int64_t now = clock_wall_ms();

	for (int d = 0; d < BUS_DAEMONS; d++) {
		if (!bus_daemon_is_of_gateway((enum bus_daemon)d) &&
			!statuses_has(s, (enum bus_daemon)d, "", now))
			return false;
	}
	for (size_t i = 0; i < s->gateways->n; i++) {
		const struct gateway *g = &s->gateways->v[i];

		if (g->has_tunnels && strcmp(statuses_of_gateway(s, g, now), "ok") != 0)
			return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (!report_is_up(reports[i], now))
			return false;
	}
	return true;
}

static void add_alarms(cJSON *o, const struct alarms *alarms)
{
	cJSON *list = cJSON_AddArrayToObject(o, "alarms");

	list_foreach (&alarms->all, it)
		cJSON_AddItemToArray(list, stats_alarm(container_of(it, struct alarm, node)));
}

/* What the daemons say of themselves, as they say it. */
static void add_reports(cJSON *o, const struct statuses *s)
{
	const struct report *reports[REPORTS_MAX];
	size_t n = statuses_sorted(s, reports, REPORTS_MAX);
	cJSON *list = cJSON_AddArrayToObject(o, "reports");

	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(list, cJSON_Duplicate(reports[i]->json, true));
}

static void add_tunnels(cJSON *o, const struct gateways *all, const struct gateway *g)
{
	cJSON *list = cJSON_AddArrayToObject(o, "tunnels");

	for (size_t i = 0; i < all->conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &all->conf->tunnels[i];

		if (!strcmp(t->gateway, g->name))
			cJSON_AddItemToArray(list, cJSON_CreateString(t->name));
	}
}

static void add_gateways(cJSON *o, const struct statuses *s)
{
	const struct gateways *all = s->gateways;
	cJSON *list = cJSON_AddArrayToObject(o, "gateways");

	for (size_t i = 0; i < all->n; i++) {
		const struct gateway *g = &all->v[i];
		cJSON *one = g->has_tunnels ? cJSON_CreateObject() : NULL;

		if (!one)
			continue;
		cJSON_AddStringToObject(one, "name", g->name);
		cJSON_AddStringToObject(one, "state", statuses_of_gateway(s, g, clock_wall_ms()));
		add_tunnels(one, all, g);
		cJSON_AddItemToArray(list, one);
	}
}

static void handle_health(struct call *c)
{
	const struct stats *s = &c->api->live->stats;
	bool is_ready = store_is_ready(c->api->store);
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "status", is_ready && is_whole(s->statuses) ? "ok" : "degraded");
	cJSON_AddNumberToObject(o, "at", (double)clock_wall_ms());
	cJSON_AddBoolToObject(o, "database", is_ready);
	cJSON_AddItemToObject(o, "daemons", stats_daemons(s->statuses));
	add_gateways(o, s->statuses);
	if (!c->actor.groups) {
		add_alarms(o, s->alarms);
		add_reports(o, s->statuses);
	}
	call_json(c, 200, o);
}

static const struct body_field lag_fields[] = {
	{ .name = "topic", .type = BODY_TEXT, .max = 64, .help = "and its owner: devices:apid" },
	{ .name = "gen", .type = BODY_INT, .is_read_only = true, .help = "that there is" },
	{ .name = "applied", .type = BODY_INT, .is_read_only = true, .help = "that is in force" },
	{ 0 },
};
static const struct body_schema lag = { .name = "Lag", .fields = lag_fields };

static const char *const states[] = { "running", "missing", NULL };
static const struct body_field daemon_fields[] = {
	{ .name = "daemon", .type = BODY_TEXT, .max = 16 },
	{ .name = "gateway",
		.type = BODY_TEXT,
		.max = 16,
		.help = "empty: the one without a name" },
	{ .name = "instance", .type = BODY_TEXT, .max = 16, .help = "empty: none was ever there" },
	{ .name = "state", .type = BODY_ENUM, .values = states },
	{ .name = "version", .type = BODY_TEXT, .max = 31 },
	{ .name = "uptime_s", .type = BODY_INT, .is_read_only = true },
	{ .name = "at",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "its last report, epoch milliseconds; 0: none" },
	{ .name = "lag",
		.type = BODY_OBJECTS,
		.max = 64,
		.of = &lag,
		.help = "what has been published and is not in force there yet" },
	{ 0 },
};
static const struct body_schema daemon_schema = { .name = "Daemon", .fields = daemon_fields };

static const struct body_field alarm_fields[] = {
	{ .name = "daemon", .type = BODY_TEXT, .max = 16 },
	{ .name = "gateway",
		.type = BODY_TEXT,
		.max = 16,
		.help = "empty: the one without a name" },
	{ .name = "what", .type = BODY_TEXT, .max = 64, .help = "for programs" },
	{ .name = "detail", .type = BODY_TEXT, .max = 512, .help = "for people" },
	{ .name = "first_at", .type = BODY_INT, .is_read_only = true },
	{ .name = "at", .type = BODY_INT, .is_read_only = true, .help = "the last time" },
	{ .name = "count", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_schema alarm_schema = { .name = "Alarm", .fields = alarm_fields };

static const char *const gateway_states[] = { "ok", "degraded", "missing", NULL };
static const struct body_field gateway_fields[] = {
	{ .name = "name", .type = BODY_TEXT, .max = 16, .help = "empty: it has none" },
	{ .name = "state",
		.type = BODY_ENUM,
		.values = gateway_states,
		.help = "missing: none of its daemons reports; its devices are not known to be "
			"filtered as policy is now" },
	{ .name = "tunnels", .type = BODY_TEXTS, .max = 64 },
	{ 0 },
};
static const struct body_schema gateway_schema = { .name = "Gateway", .fields = gateway_fields };

static const char *const statuses_of[] = { "ok", "degraded", NULL };
static const struct body_field fields[] = {
	{ .name = "status",
		.type = BODY_ENUM,
		.values = statuses_of,
		.help = "ok: every daemon reports, and the database is there" },
	{ .name = "at", .type = BODY_INT, .is_read_only = true },
	{ .name = "database", .type = BODY_BOOL },
	{ .name = "daemons", .type = BODY_OBJECTS, .of = &daemon_schema },
	{ .name = "gateways", .type = BODY_OBJECTS, .max = 64, .of = &gateway_schema },
	{ .name = "alarms",
		.type = BODY_OBJECTS,
		.of = &alarm_schema,
		.max = ALARMS_MAX,
		.help = "since this process started, newest first; not for accounts limited to "
			"groups" },
	{ .name = "reports",
		.type = BODY_ANY,
		.help = "what each daemon says of itself, as it says it; likewise" },
	{ 0 },
};
static const struct body_schema schema = { .name = "Health",
	.fields = fields,
	.example = "{\"status\":\"ok\",\"at\":1796000000000,\"database\":true,\"daemons\":[{\""
		   "daemon\":\"wgd\",\"gateway\":\"\",\"instance\":\"\",\"state\":\"running\","
		   "\"version\":\"0.1"
		   ".0\",\"uptime_s\":86400,\"at\":1796000000000,\"lag\":[]}],\"gateways\":[{"
		   "\"name\":\"\",\"state\":\"ok\",\"tunnels\":[\"mitm\"]"
		   "}],\"alarms\":[],\"reports\":[]}" };

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/api/v1/health",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_SYSTEM,
		.response = &schema,
		.status = 200,
		.tag = "system",
		.summary = "How the daemons are, what they are behind with, and alarms",
		.handle = handle_health },
};

struct route_set routes_health(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
