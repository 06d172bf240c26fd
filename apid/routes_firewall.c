/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/live.h"
#include "apid/routes.h"
#include "common/timer.h"

#include <errno.h>
#include <string.h>

/* GET /api/v1/firewall: the state of the rules and what they refused, as fwd reports it every few
 * seconds. */

static const struct report *find_report(const struct statuses *s)
{
	const struct report *reports[REPORTS_MAX], *newest = NULL;
	size_t n = statuses_sorted(s, reports, REPORTS_MAX);

	for (size_t i = 0; i < n; i++) {
		if (reports[i]->daemon == BUS_FWD && (!newest || reports[i]->at > newest->at))
			newest = reports[i];
	}
	return newest;
}

static void add_bool(cJSON *o, const char *name, const struct report *r)
{
	cJSON_AddBoolToObject(o, name, cJSON_IsTrue(json_get(r->json, name)));
}

static void add_number(cJSON *o, const char *name, const struct report *r)
{
	int64_t n = 0;

	json_get_int(json_get(r->json, name), &n);
	cJSON_AddNumberToObject(o, name, (double)n);
}

static void add_refused(cJSON *o, const struct report *r)
{
	const cJSON *bytes = json_get(r->json, "refused_bytes"), *one;
	cJSON *list = cJSON_AddArrayToObject(o, "refused");

	cJSON_ArrayForEach (one, json_get(r->json, "refused_packets")) {
		const char *size = cJSON_GetStringValue(json_get(bytes, one->string));
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "reason", one->string);
		cJSON_AddStringToObject(
			item, "packets", cJSON_IsString(one) ? one->valuestring : "0");
		cJSON_AddStringToObject(item, "bytes", size ? size : "0");
		cJSON_AddItemToArray(list, item);
	}
}

static void handle_get(struct call *c)
{
	const struct report *r = find_report(c->api->live->stats.statuses);
	cJSON *o;

	if (!r) {
		call_problem_later(c, 503, "fwd has not reported yet", 5);
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddNumberToObject(o, "at", (double)r->at);
	cJSON_AddBoolToObject(o, "running", report_is_up(r, clock_wall_ms()));
	add_bool(o, "known", r);
	add_bool(o, "failing", r);
	add_number(o, "rewrites", r);
	add_number(o, "updates", r);
	add_number(o, "heals", r);
	add_refused(o, r);
	call_json(c, 200, o);
}

static const struct body_field refused_fields[] = {
	{ .name = "reason",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 64,
		.help = "profile, listed, strict, egress, rate, unknown_source …: why" },
	{ .name = "packets",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 20,
		.help = "since the rules were made, a number as text" },
	{ .name = "bytes", .type = BODY_TEXT, .is_read_only = true, .max = 20 },
	{ 0 },
};
static const struct body_schema refused_schema = { .name = "FirewallRefused",
	.fields = refused_fields };
static const struct body_field fields[] = {
	{ .name = "at",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "of the report, epoch milliseconds" },
	{ .name = "running",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "false: fwd is silent; the rules stay as they are" },
	{ .name = "known",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "the devices are known; until then nothing is let through" },
	{ .name = "failing",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "the kernel does not take the rules" },
	{ .name = "rewrites",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "times that all rules were written" },
	{ .name = "updates",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "times that sets were changed" },
	{ .name = "heals",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "times that rules changed by others were restored" },
	{ .name = "refused",
		.type = BODY_OBJECTS,
		.is_read_only = true,
		.of = &refused_schema,
		.max = 64 },
	{ 0 },
};
static const struct body_schema schema = { .name = "Firewall",
	.fields = fields,
	.example = "{\"at\":1796000000000,\"running\":true,\"known\":true,\"failing\":false,"
		   "\"rewrites\":1,\"updates\":12,\"heals\":0,\"refused\":[{\"reason\":"
		   "\"profile\",\"packets\":\"310\",\"bytes\":\"18600\"}]}" };

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/api/v1/firewall",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_SYSTEM,
		.reach = REACH_ALL,
		.response = &schema,
		.status = 200,
		.tag = "system",
		.summary = "The firewall: its state, and the packets refused by reason",
		.handle = handle_get },
};

struct route_set routes_firewall(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
