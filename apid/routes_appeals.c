/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/appeal_decision.h"
#include "apid/appeals.h"
#include "apid/call.h"
#include "apid/page.h"
#include "apid/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Appeals (SPEC A6): read, approved, rejected. Who is limited to groups sees those of their
 * devices. */

struct appeal_call {
	struct call *c;
	char *groups; /* JSON array of whom one may see; NULL = all */
	size_t rows;  /* statement */
	int64_t limit;
};

static void free_data(void *data)
{
	struct appeal_call *a = data;

	free(a->groups);
	free(a);
}

/* NULL: answered. */
static struct appeal_call *begin(struct call *c)
{
	const struct group_set *g = c->actor.groups;
	struct appeal_call *a = calloc(1, sizeof(*a));
	cJSON *array =
		a && g ? cJSON_CreateStringArray((const char *const *)g->v, (int)g->n) : NULL;

	if (a)
		a->groups = array ? json_format(array) : NULL;
	cJSON_Delete(array);
	if (!a || (g && !a->groups)) {
		free(a);
		call_failed(c, -ENOMEM, NULL);
		return NULL;
	}
	a->c = c;
	c->data = a;
	c->free_data = free_data;
	return a;
}

/* ---- reading ---- */

#define FROM_SEEN                                                                                  \
	" FROM appeals a LEFT JOIN devices d ON d.id = a.device WHERE (? IS NULL OR "              \
	"JSON_CONTAINS(?, JSON_QUOTE(JSON_VALUE(d.record, '$.group'))))"

static void on_page(void *arg, struct db_batch *b, int status)
{
	struct appeal_call *a = arg;
	struct call *c = a->c;

	page_answer_rows(
		c, status, status ? NULL : db_batch_rows(b, a->rows), a->limit, appeal_json, 14);
	exchange_end_work(&c->x);
}

static bool is_one_of(const char *text, enum enum_id id, int n)
{
	for (int i = 0; text && i < n; i++) {
		if (!strcmp(text, enum_text(id, i)))
			return true;
	}
	return !text;
}

static bool check_filters(struct call *c)
{
	if (!is_one_of(call_param(c, "status"), ENUM_ID_review_status, 3))
		call_invalid(c, "status", "is none of pending, approved, rejected");
	else if (!is_one_of(call_param(c, "mode"), ENUM_ID_appeal_mode, 3))
		call_invalid(c, "mode", "is none of appeal, review, report");
	else
		return true;
	return false;
}

static void handle_list(struct call *c)
{
	const char *status = call_param(c, "status"), *mode = call_param(c, "mode");
	const char *device = call_param(c, "device"), *host = call_param(c, "host");
	int64_t limit = PAGE_LIMIT, before = INT64_MAX;
	struct db_batch *b;
	struct appeal_call *a;

	if (!call_param_int(c, "limit", 1, PAGE_LIMIT_MAX, &limit) ||
		!call_param_int(c, "cursor", 1, INT64_MAX, &before) || !check_filters(c))
		return;
	a = begin(c);
	if (!a)
		return;
	b = db_batch_new();
	if (!b) {
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	a->limit = limit;
	a->rows = db_add(b,
		"SELECT " APPEAL_COLUMNS ", a.n" FROM_SEEN
		" AND a.n < ? AND (? IS NULL OR a.status = ?) AND (? IS NULL OR a.mode = ?) AND (? "
		"IS NULL OR a.device = ?) AND (? IS NULL OR a.host = ?) ORDER BY a.n DESC LIMIT ?",
		"ssissssssssi", a->groups, a->groups, before, status, status, mode, mode, device,
		device, host, host, limit + 1);
	exchange_begin_work(&c->x);
	store_read(c->api->store, b, on_page, a);
}

static void on_one(void *arg, struct db_batch *b, int status)
{
	struct appeal_call *a = arg;
	struct call *c = a->c;
	const struct db_rows *rows = status ? NULL : db_batch_rows(b, a->rows);

	if (status || !rows->n)
		call_failed(c, status ? status : -ENOENT, NULL);
	else
		call_json(c, 200, appeal_json(rows, 0));
	exchange_end_work(&c->x);
}

/* Answers with the appeal as it is; begun work ends with it. */
static void answer_one(struct appeal_call *a)
{
	struct call *c = a->c;
	struct db_batch *b = db_batch_new();

	if (!b) {
		call_failed(c, -ENOMEM, NULL);
		exchange_end_work(&c->x);
		return;
	}
	a->rows = db_add(b, "SELECT " APPEAL_COLUMNS FROM_SEEN " AND a.uuid = ?", "sss", a->groups,
		a->groups, c->args[0]);
	/* The connection that writes: it has what was just decided. */
	store_submit(c->api->store, b, on_one, a);
}

static void handle_get(struct call *c)
{
	struct appeal_call *a = begin(c);

	if (!a)
		return;
	exchange_begin_work(&c->x);
	answer_one(a);
}

static void on_counts(void *arg, struct db_batch *b, int status)
{
	struct appeal_call *a = arg;
	struct call *c = a->c;
	const struct db_rows *rows = status ? NULL : db_batch_rows(b, a->rows);
	cJSON *out;

	if (status) {
		call_failed(c, status, NULL);
	} else {
		out = cJSON_CreateObject();
		for (int i = 0; i < 3; i++)
			cJSON_AddNumberToObject(out, enum_text(ENUM_ID_review_status, i), 0);
		for (size_t i = 0; i < rows->n; i++)
			cJSON_SetNumberValue(cJSON_GetObjectItem(out, db_cell(rows, i, 0)),
				(double)atoll(db_cell(rows, i, 1)));
		call_json(c, 200, out);
	}
	exchange_end_work(&c->x);
}

static void handle_counts(struct call *c)
{
	struct appeal_call *a = begin(c);
	struct db_batch *b = a ? db_batch_new() : NULL;

	if (!b) {
		if (a)
			call_failed(c, -ENOMEM, NULL);
		return;
	}
	a->rows = db_add(b, "SELECT a.status, COUNT(*)" FROM_SEEN " GROUP BY a.status", "ss",
		a->groups, a->groups);
	exchange_begin_work(&c->x);
	store_read(c->api->store, b, on_counts, a);
}

/* ---- deciding ---- */

static int may(void *arg, const char *device, bool to_all)
{
	const struct appeal_call *a = arg;
	const struct call *c = a->c;
	const struct table_row *row =
		device ? table_find(store_table(c->api->store, TOPIC_devices), device) : NULL;

	if (!c->actor.groups)
		return 0;
	if (!row || !call_may_see(c, row->group))
		return -ENOENT;
	return to_all ? -EPERM : 0;
}

static bool has_category(void *arg, const char *id)
{
	const struct appeal_call *a = arg;

	return appeals_has_category(a->c->api->store, a->c->api->bus, id);
}

static void on_decided(void *arg, const struct appeal_outcome *out)
{
	struct appeal_call *a = arg;
	struct call *c = a->c;

	if (!out->status) {
		answer_one(a);
		return;
	}
	if (out->status == -EINVAL && out->err.reason[0])
		call_invalid(c, out->err.pointer, out->err.reason);
	else if (out->status == -EPERM)
		call_failed(c, -EPERM, "a rule for everybody is for those without a limit");
	else
		call_failed(c, out->status,
			out->status == -EEXIST ? "it was decided otherwise before" : NULL);
	exchange_end_work(&c->x);
}

static void decide(struct call *c, enum review_status status)
{
	struct appeal_call *a = begin(c);
	struct store_actor by;

	if (!a)
		return;
	call_by(c, &by);
	exchange_begin_work(&c->x);
	appeal_decide(c->api->store, &by,
		&(struct appeal_decision){ .uuid = c->args[0],
			.status = status,
			.body = c->body,
			.may = may,
			.has_category = has_category,
			.arg = a },
		on_decided, a);
}

static void handle_approve(struct call *c)
{
	decide(c, REVIEW_STATUS_APPROVED);
}

static void handle_reject(struct call *c)
{
	decide(c, REVIEW_STATUS_REJECTED);
}

/* ---- routes ---- */

static const struct route_param params[] = {
	{ "cursor", "where the page begins: `next` of the one before" },
	{ "limit", "appeals per page, 1 to 500; 50 by default" },
	{ "status", "pending, approved or rejected" },
	{ "mode", "appeal, review or report" },
	{ "device", "of this device only" },
	{ "host", "about this host only" },
	{ 0 },
};
static const char *const statuses[] = { "pending", "approved", "rejected", NULL };
static const char *const modes[] = { "appeal", "review", "report", NULL };
static const struct body_field fields[] = {
	{ .name = "uuid", .type = BODY_TEXT, .is_read_only = true, .max = 36 },
	{ .name = "url", .type = BODY_TEXT, .is_read_only = true, .max = 2048 },
	{ .name = "host", .type = BODY_TEXT, .is_read_only = true, .max = 253 },
	{ .name = "mode", .type = BODY_ENUM, .is_read_only = true, .values = modes },
	{ .name = "category_id",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 64,
		.help = "which the device chose" },
	{ .name = "reason",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 8192 },
	{ .name = "device",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 64 },
	{ .name = "time", .type = BODY_INT, .is_read_only = true, .help = "epoch milliseconds" },
	{ .name = "status", .type = BODY_ENUM, .is_read_only = true, .values = statuses },
	{ .name = "answer",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 2048 },
	{ .name = "effect",
		.type = BODY_ANY,
		.is_read_only = true,
		.is_nullable = true,
		.help = "what the approval made: kind, id and record" },
	{ .name = "decided_at", .type = BODY_INT, .is_read_only = true, .is_nullable = true },
	{ .name = "decided_by",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 130 },
	{ .name = "directus_at",
		.type = BODY_INT,
		.is_read_only = true,
		.is_nullable = true,
		.help = "when Directus confirmed that it has it" },
	{ 0 },
};
static const struct body_schema schema = { .name = "Appeal",
	.fields = fields,
	.example = "{\"uuid\":\"00000000-0000-4000-8000-000000000001\",\"url\":\"http://shop.e"
		   "xample/page\",\"host\":\"shop.example\",\"mode\":\"appeal\",\"category_id"
		   "\":null,\"reason\":\"For school.\",\"device\":\"phone\",\"time\":179600000"
		   "0000,\"status\":\"pending\",\"answer\":null,\"effect\":null,\"decided_at\""
		   ":null,\"decided_by\":null,\"directus_at\":null}" };
static const struct body_field count_fields[] = {
	{ .name = "pending", .type = BODY_INT, .is_read_only = true },
	{ .name = "approved", .type = BODY_INT, .is_read_only = true },
	{ .name = "rejected", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_schema counts_schema = { .name = "AppealCounts",
	.fields = count_fields,
	.example = "{\"pending\":2,\"approved\":5,\"rejected\":1}" };
static const struct body_field reject_fields[] = {
	{ .name = "answer", .type = BODY_TEXT, .max = 2048, .help = "a word to the device" },
	{ 0 },
};
static const struct body_schema reject_schema = { .name = "AppealRejection",
	.fields = reject_fields,
	.example = "{\"answer\":\"Not during the week.\"}" };

#define ROUTE(verb, where, who)                                                                    \
	.method = verb, .path = where, .front = FRONT_ADMIN, .roles = who, .scope = SCOPE_APPEALS, \
	.reach = REACH_GROUPS, .status = 200, .tag = "appeals"

static const struct route routes[] = {
	{ ROUTE("GET", "/api/v1/appeals", BY_ALL), .response = &schema, .is_page = true,
		.params = params, .summary = "What devices asked for, newest first",
		.handle = handle_list },
	{ ROUTE("GET", "/api/v1/appeal-counts", BY_ALL), .response = &counts_schema,
		.summary = "How many appeals wait, how many are decided", .handle = handle_counts },
	{ ROUTE("GET", "/api/v1/appeals/{uuid}", BY_ALL), .response = &schema,
		.summary = "One appeal", .handle = handle_get },
	{ ROUTE("POST", "/api/v1/appeals/{uuid}/approve", BY_HELPERS),
		.request = &appeal_decision_schema, .response = &schema,
		.summary = "Approve: a website rule, or an override for the device; once, however "
			   "often it is approved",
		.handle = handle_approve },
	{ ROUTE("POST", "/api/v1/appeals/{uuid}/reject", BY_HELPERS), .request = &reject_schema,
		.response = &schema, .summary = "Reject, with a word to the device",
		.handle = handle_reject },
};

struct route_set routes_appeals(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
