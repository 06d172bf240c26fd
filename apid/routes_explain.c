/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/explain.h"
#include "apid/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* GET and POST /api/v1/explain (SPEC A8). */

enum { TIME_MAX_SHIFT = 53 };

static void on_explained(void *arg, cJSON *json)
{
	struct call *c = arg;

	call_json(c, 200, json);
	exchange_end_work(&c->x);
}

/* What does not stand: answered, false. */
static bool find_device(struct call *c, const char *pointer, const char *id)
{
	const struct table_row *row =
		id ? table_find(store_table(c->api->store, TOPIC_devices), id) : NULL;

	if (row && call_may_see(c, row->group))
		return true;
	call_invalid(c, pointer, id ? "is no device" : "is missing");
	return false;
}

static void explain(
	struct call *c, const struct explain_question *q, const char *pointer, const char *text)
{
	struct explain_question with_url = *q;
	char *url = text ? explain_make_url(text) : NULL;

	if (!url) {
		call_invalid(c, pointer, text ? "is no web address" : "is missing");
		return;
	}
	with_url.url = url;
	exchange_begin_work(&c->x);
	if (explain_start(c->api, &with_url, on_explained, c)) {
		call_failed(c, -ENOMEM, NULL);
		exchange_end_work(&c->x);
	}
	free(url);
}

static void handle_get(struct call *c)
{
	struct explain_question q = { .device = call_param(c, "device"),
		.page = call_param(c, "page"),
		.type = call_param(c, "type") };

	if (!call_param_int(c, "at", 1, 1LL << TIME_MAX_SHIFT, &q.at) ||
		!find_device(c, "device", q.device))
		return;
	if (q.page && strlen(q.page) > 253)
		call_invalid(c, "page", "is no host");
	else if (q.type && strlen(q.type) > 16)
		call_invalid(c, "type", "is no type");
	else
		explain(c, &q, "url", call_param(c, "url"));
}

static void handle_post(struct call *c)
{
	struct explain_question q = { .device = cJSON_GetStringValue(json_get(c->body, "device")),
		.page = cJSON_GetStringValue(json_get(c->body, "page")),
		.type = cJSON_GetStringValue(json_get(c->body, "type")) };

	json_get_int(json_get(c->body, "at"), &q.at);
	if (find_device(c, "/device", q.device))
		explain(c, &q, "/url", cJSON_GetStringValue(json_get(c->body, "url")));
}

static const struct route_param params[] = {
	{ "device", "id of the device" },
	{ "url", "web address, or a name alone, which is https" },
	{ "page", "host of the page that it is a part of" },
	{ "type", "of the DNS question: A, AAAA, HTTPS …; A by default" },
	{ "at", "epoch milliseconds: as of then, for schedules and ends; now by default" },
	{ 0 },
};

static const struct body_field question_fields[] = {
	{ .name = "device", .type = BODY_TEXT, .is_required = true, .min = 1, .max = 64 },
	{ .name = "url", .type = BODY_TEXT, .is_required = true, .min = 1, .max = 2000 },
	{ .name = "page", .type = BODY_TEXT, .max = 253 },
	{ .name = "type", .type = BODY_TEXT, .max = 16 },
	{ .name = "at", .type = BODY_INT, .min = 1, .max = 1LL << TIME_MAX_SHIFT },
	{ 0 },
};
static const struct body_schema question = { .name = "ExplainQuestion",
	.fields = question_fields,
	.example = "{\"device\":\"phone\",\"url\":\"https://example.org/page\"}" };

static const struct body_field final_fields[] = {
	{ .name = "verdict",
		.type = BODY_TEXT,
		.is_read_only = true,
		.help = "block, unknown (not reviewed, blocked for it), allow, pass (not reviewed, "
			"allowed), or not known: a daemon did not answer" },
	{ .name = "layer",
		.type = BODY_TEXT,
		.is_read_only = true,
		.help = "dns, firewall, intercept or proxy: where it was decided" },
	{ .name = "by", .type = BODY_TEXT, .is_read_only = true, .help = "the step there" },
	{ 0 },
};
static const struct body_schema final_schema = { .name = "ExplainVerdict", .fields = final_fields };
static const struct body_field finals_fields[] = {
	{ .name = "apps",
		.type = BODY_OBJECT,
		.is_read_only = true,
		.of = &final_schema,
		.help = "by DNS and interception" },
	{ .name = "browser",
		.type = BODY_OBJECT,
		.is_read_only = true,
		.of = &final_schema,
		.help = "by the explicit proxy" },
	{ 0 },
};
static const struct body_schema finals_schema = { .name = "ExplainVerdicts",
	.fields = finals_fields };
static const struct body_field step_fields[] = {
	{ .name = "step", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "decided", .type = BODY_BOOL, .is_read_only = true },
	{ .name = "verdict", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "reason", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "rule", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "rule_id", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "owner", .type = BODY_TEXT, .is_read_only = true, .help = "local or directus" },
	{ .name = "list", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "list_title", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "list_version",
		.type = BODY_TEXT,
		.is_read_only = true,
		.help = "of a list that was rolled back" },
	{ .name = "list_pinned_at",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "since when it is held there" },
	{ .name = "category", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "category_id", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "answer", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "generation", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_schema step_schema = { .name = "ExplainStep", .fields = step_fields };
static const struct body_field path_fields[] = {
	{ .name = "daemon", .type = BODY_TEXT, .is_read_only = true, .help = "who was asked" },
	{ .name = "unavailable",
		.type = BODY_TEXT,
		.is_read_only = true,
		.help = "why it did not say; the rest is not there then" },
	{ .name = "acts",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "false: such a connection does not come this way" },
	{ .name = "steps",
		.type = BODY_OBJECTS,
		.is_read_only = true,
		.of = &step_schema,
		.help = "in their order, also behind the one that decided" },
	{ .name = "verdict", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "by", .type = BODY_TEXT, .is_read_only = true, .help = "the step that decided" },
	{ .name = "decrypted", .type = BODY_BOOL, .is_read_only = true },
	{ .name = "own",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "the gateway answers it itself" },
	{ .name = "images", .type = BODY_TEXT, .is_read_only = true, .help = "hide or show" },
	{ .name = "words", .type = BODY_TEXT, .is_read_only = true, .help = "hide or show" },
	{ .name = "safe_search", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "outcome",
		.type = BODY_TEXT,
		.is_read_only = true,
		.help = "of DNS: silence, block, own records, alias or forward" },
	{ .name = "mode", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "text", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "alias", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "judges_answer",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "what the answer leads to is judged once it is known" },
	{ 0 },
};
static const struct body_schema path_schema = { .name = "ExplainPath", .fields = path_fields };
static const struct body_field paths_fields[] = {
	{ .name = "dns",
		.type = BODY_OBJECT,
		.is_read_only = true,
		.is_nullable = true,
		.of = &path_schema,
		.help = "null for an address" },
	{ .name = "intercept", .type = BODY_OBJECT, .is_read_only = true, .of = &path_schema },
	{ .name = "proxy", .type = BODY_OBJECT, .is_read_only = true, .of = &path_schema },
	{ 0 },
};
static const struct body_schema paths_schema = { .name = "ExplainPaths", .fields = paths_fields };
static const struct body_field fields[] = {
	{ .name = "device", .type = BODY_ANY, .is_read_only = true },
	{ .name = "url", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "host", .type = BODY_TEXT, .is_read_only = true },
	{ .name = "at", .type = BODY_INT, .is_read_only = true },
	{ .name = "verdicts", .type = BODY_OBJECT, .is_read_only = true, .of = &finals_schema },
	{ .name = "paths", .type = BODY_OBJECT, .is_read_only = true, .of = &paths_schema },
	{ .name = "addresses",
		.type = BODY_ANY,
		.is_read_only = true,
		.help = "where it would connect: address, allowed, why (not)" },
	{ .name = "firewall",
		.type = BODY_ANY,
		.is_read_only = true,
		.help = "of an address: what lists by address and strict mode say" },
	{ 0 },
};
static const struct body_schema schema = { .name = "Explanation",
	.fields = fields,
	.example = "{\"device\":{\"id\":\"phone\",\"name\":\"Phone\",\"tunnel\":\"mitm\",\"add"
		   "resses\":[\"10.9.0.2\",\"fd09::2\"],\"entitled\":true,\"entitlement\":\"en"
		   "titled\"},\"url\":\"https://example.org/\",\"host\":\"example.org\",\"at\""
		   ":1796000000000,\"verdicts\":{\"apps\":{\"verdict\":\"block\",\"layer\":\"i"
		   "ntercept\",\"by\":\"overrides\"},\"browser\":{\"verdict\":\"block\",\"laye"
		   "r\":\"proxy\",\"by\":\"overrides\"}},\"paths\":{\"dns\":{\"daemon\":\"dnsd"
		   "\",\"steps\":[{\"step\":\"default\",\"decided\":true,\"verdict\":\"allow\""
		   ",\"reason\":\"default\",\"generation\":1}],\"verdict\":\"allow\",\"by\":\""
		   "default\",\"outcome\":\"forward\",\"judges_answer\":true},\"intercept\":{"
		   "\"daemon\":\"proxyd\",\"acts\":true,\"verdict\":\"block\",\"by\":\"overrid"
		   "es\",\"decrypted\":false,\"steps\":[{\"step\":\"overrides\",\"decided\":tr"
		   "ue,\"verdict\":\"block\",\"reason\":\"override\",\"rule_id\":\"o1\",\"owne"
		   "r\":\"local\"}]},\"proxy\":{\"daemon\":\"proxyd\",\"acts\":true,\"verdict"
		   "\":\"block\",\"by\":\"overrides\",\"decrypted\":true,\"steps\":[{\"step\":"
		   "\"overrides\",\"decided\":true,\"verdict\":\"block\",\"reason\":\"override"
		   "\",\"rule_id\":\"o1\",\"owner\":\"local\"}]}}}" };

#define ROUTE(verb)                                                                                \
	.method = verb, .path = "/api/v1/explain", .front = FRONT_ADMIN, .roles = BY_ALL,          \
	.scope = SCOPE_POLICY, .reach = REACH_GROUPS, .status = 200, .tag = "explain",             \
	.response = &schema

static const struct route routes[] = {
	{ ROUTE("GET"), .params = params,
		.summary = "What becomes of a web address of a device, and why",
		.handle = handle_get },
	{ ROUTE("POST"), .request = &question, .summary = "The same, for long addresses",
		.handle = handle_post },
};

struct route_set routes_explain(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
