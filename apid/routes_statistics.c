/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/live.h"
#include "apid/routes.h"
#include "apid/statistics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* GET /api/v1/statistics/…: what devices did, from the database. */
enum { POINTS_MAX = 5000, TOP_MAX = 1000, TOP = 100 };

struct question {
	struct call *c;
	enum statistics_step step;
	int64_t from, to; /* epoch s; to does not belong to it */
	char *devices;	  /* JSON array of those that count; NULL = all */
	size_t rows;	  /* statement */
	void (*make)(struct question *q, const struct db_rows *rows, cJSON *items);
};

static void free_question(void *data)
{
	struct question *q = data;

	free(q->devices);
	free(q);
}

/* ---- what is asked ---- */

/* From the step that fits when none is asked for. */
static bool take_step(struct call *c, struct question *q)
{
	const char *text = call_param(c, "step");
	int64_t span = q->to - q->from;
	int step = 0;

	if (!text) {
		q->step = span <= 6 * 3600     ? STEP_MINUTE
			  : span <= 14 * 86400 ? STEP_HOUR
					       : STEP_DAY;
		return true;
	}
	while (step < STEPS && strcmp(text, statistics_step_texts[step]) != 0)
		step++;
	if (step == STEPS) {
		call_invalid(c, "step", "is none of minute, hour, day");
		return false;
	}
	q->step = (enum statistics_step)step;
	return true;
}

static bool take_times(struct call *c, struct question *q)
{
	int64_t now = clock_wall_ms(), from = now - 24 * 3600 * 1000, to = now + 60000;

	if (!call_param_int(c, "from", 0, INT64_C(1) << 48, &from) ||
		!call_param_int(c, "to", 0, INT64_C(1) << 48, &to))
		return false;
	if (from >= to) {
		call_invalid(c, "to", "is not after from");
		return false;
	}
	q->from = from / 1000;
	q->to = (to + 999) / 1000;
	if (!take_step(c, q))
		return false;
	q->from -= q->from % statistics_step_s[q->step];
	if ((q->to - q->from) / statistics_step_s[q->step] <= POINTS_MAX)
		return true;
	call_invalid(c, "step", "makes more than 5000 points of that time");
	return false;
}

/* One device, a group's, or those that one may see. */
static bool take_devices(struct call *c, struct question *q)
{
	const struct table *devices = store_table(c->api->store, TOPIC_devices);
	const char *device = call_param(c, "device"), *group = call_param(c, "group");
	const struct table_row *row = device ? table_find(devices, device) : NULL;
	cJSON *list;

	if (device && c->actor.groups && (!row || !call_may_see(c, row->group))) {
		call_failed(c, -EPERM, NULL);
		return false;
	}
	if (!device && !group && !c->actor.groups)
		return true;
	list = cJSON_CreateArray();
	if (device)
		cJSON_AddItemToArray(list, cJSON_CreateString(device));
	for (size_t i = 0; !device && i < devices->n; i++) {
		row = devices->sorted[i];
		if (call_may_see(c, row->group) &&
			(!group || (row->group && !strcmp(row->group, group))))
			cJSON_AddItemToArray(list, cJSON_CreateString(row->id));
	}
	q->devices = json_format(list);
	cJSON_Delete(list);
	if (!q->devices)
		call_failed(c, -ENOMEM, NULL);
	return q->devices;
}

static struct question *ask(struct call *c)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q) {
		call_failed(c, -ENOMEM, NULL);
		return NULL;
	}
	q->c = c;
	c->data = q;
	c->free_data = free_question;
	return take_times(c, q) && take_devices(c, q) ? q : NULL;
}

static void on_rows(void *arg, struct db_batch *b, int status)
{
	struct question *q = arg;
	struct call *c = q->c;
	cJSON *o;

	if (status) {
		call_failed(c, status, NULL);
	} else {
		o = cJSON_CreateObject();
		cJSON_AddNumberToObject(o, "from", (double)q->from * 1000);
		cJSON_AddNumberToObject(o, "to", (double)q->to * 1000);
		cJSON_AddStringToObject(o, "step", statistics_step_texts[q->step]);
		q->make(q, db_batch_rows(b, q->rows), cJSON_AddArrayToObject(o, "items"));
		call_json(c, 200, o);
	}
	exchange_end_work(&c->x);
}

static void read_rows(struct question *q, struct db_batch *b)
{
	exchange_begin_work(&q->c->x);
	store_read(q->c->api->store, b, on_rows, q);
}

#define OF_DEVICES                                                                                 \
	" AND (? IS NULL OR device IN (SELECT d COLLATE utf8mb4_nopad_bin FROM JSON_TABLE(?, "     \
	"'$[*]' COLUMNS (d VARCHAR(64) PATH '$')) t))"
#define SUMS                                                                                       \
	"SUM(dns_allowed), SUM(dns_blocked), SUM(dns_failed), SUM(web_allowed), "                  \
	"SUM(web_blocked), SUM(web_unknown), SUM(web_failed), SUM(web_bytes), "                    \
	"SUM(refused_packets), SUM(refused_bytes)"
#define IN_TIME "WHERE step = ? AND at >= ? AND at < ?"

/* ---- verdicts ---- */

static double number(const struct db_rows *r, size_t row, size_t column)
{
	const char *cell = db_cell(r, row, column);

	return cell ? strtod(cell, NULL) : 0;
}

static void add_sums(cJSON *o, const struct db_rows *r, size_t row)
{
	static const struct {
		const char *part, *name;
	} names[] = { { "dns", "allowed" }, { "dns", "blocked" }, { "dns", "failed" },
		{ "web", "allowed" }, { "web", "blocked" }, { "web", "unknown" },
		{ "web", "failed" }, { "web", "bytes" }, { "refused", "packets" },
		{ "refused", "bytes" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cJSON *part = cJSON_GetObjectItemCaseSensitive(o, names[i].part);

		if (!part)
			part = cJSON_AddObjectToObject(o, names[i].part);
		cJSON_AddNumberToObject(part, names[i].name, number(r, row, i + 1));
	}
}

static void make_points(struct question *q, const struct db_rows *r, cJSON *items)
{
	(void)q;
	for (size_t i = 0; i < r->n; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddNumberToObject(o, "at", number(r, i, 0) * 1000);
		add_sums(o, r, i);
		cJSON_AddItemToArray(items, o);
	}
}

static void handle_verdicts(struct call *c)
{
	struct question *q = ask(c);
	struct db_batch *b = q ? db_batch_new() : NULL;

	if (!b)
		return;
	q->make = make_points;
	q->rows = db_add(b,
		"SELECT at, " SUMS " FROM statistics " IN_TIME OF_DEVICES
		" GROUP BY at ORDER BY at",
		"iiiss", (int64_t)q->step, q->from, q->to, q->devices, q->devices);
	read_rows(q, b);
}

static const char *name_of(const struct call *c, const char *device)
{
	const struct table_row *row = table_find(store_table(c->api->store, TOPIC_devices), device);

	return row && row->name ? row->name : device;
}

static void make_devices(struct question *q, const struct db_rows *r, cJSON *items)
{
	for (size_t i = 0; i < r->n; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "device", db_cell(r, i, 0));
		cJSON_AddStringToObject(o, "name", name_of(q->c, db_cell(r, i, 0)));
		add_sums(o, r, i);
		cJSON_AddItemToArray(items, o);
	}
}

static void handle_devices(struct call *c)
{
	struct question *q = ask(c);
	int64_t limit = TOP;
	struct db_batch *b;

	if (!q || !call_param_int(c, "limit", 1, TOP_MAX, &limit) || !(b = db_batch_new()))
		return;
	q->make = make_devices;
	q->rows = db_add(b,
		"SELECT device, " SUMS " FROM statistics " IN_TIME OF_DEVICES
		" GROUP BY device ORDER BY SUM(dns_allowed + dns_blocked + web_allowed + "
		"web_blocked + web_unknown) DESC, device LIMIT ?",
		"iiissi", (int64_t)q->step, q->from, q->to, q->devices, q->devices, limit);
	read_rows(q, b);
}

/* ---- lists ---- */

static void make_lists(struct question *q, const struct db_rows *r, cJSON *items)
{
	for (size_t i = 0; i < r->n; i++) {
		const char *title = list_names_title(&q->c->api->live->lists, db_cell(r, i, 0));
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "list", db_cell(r, i, 0));
		cJSON_AddStringToObject(o, "title", title ? title : db_cell(r, i, 0));
		cJSON_AddNumberToObject(o, "hits", number(r, i, 1));
		cJSON_AddItemToArray(items, o);
	}
}

static void handle_lists(struct call *c)
{
	struct question *q = ask(c);
	struct db_batch *b = q ? db_batch_new() : NULL;

	if (!b)
		return;
	q->make = make_lists;
	q->rows = db_add(b,
		"SELECT list, SUM(hits) FROM statistics_lists " IN_TIME OF_DEVICES
		" GROUP BY list ORDER BY SUM(hits) DESC, list LIMIT 1000",
		"iiiss", (int64_t)q->step, q->from, q->to, q->devices, q->devices);
	read_rows(q, b);
}

static void make_list(struct question *q, const struct db_rows *r, cJSON *items)
{
	(void)q;
	for (size_t i = 0; i < r->n; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddNumberToObject(o, "at", number(r, i, 0) * 1000);
		cJSON_AddNumberToObject(o, "hits", number(r, i, 1));
		cJSON_AddItemToArray(items, o);
	}
}

static void handle_list(struct call *c)
{
	struct question *q = ask(c);
	struct db_batch *b = q ? db_batch_new() : NULL;

	if (!b)
		return;
	q->make = make_list;
	q->rows = db_add(b,
		"SELECT at, SUM(hits) FROM statistics_lists " IN_TIME OF_DEVICES
		" AND list = ? GROUP BY at ORDER BY at",
		"iiisss", (int64_t)q->step, q->from, q->to, q->devices, q->devices, c->args[0]);
	read_rows(q, b);
}

/* ---- domains ---- */

static void make_domains(struct question *q, const struct db_rows *r, cJSON *items)
{
	(void)q;
	for (size_t i = 0; i < r->n; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "domain", db_cell(r, i, 0));
		cJSON_AddNumberToObject(o, "hits", number(r, i, 1));
		cJSON_AddNumberToObject(o, "bytes", number(r, i, 2));
		cJSON_AddItemToArray(items, o);
	}
}

/* -1 = any; -2: answered. */
static int64_t take_verdict(struct call *c)
{
	const char *text = call_param(c, "verdict");
	enum live_verdict v = text ? live_verdict_parse(text) : LIVE_VERDICTS;

	if (!text)
		return -1;
	if (v < LIVE_VERDICTS && !strcmp(text, live_verdict_texts[v]))
		return v;
	call_invalid(c, "verdict", "is none of allow, deny, unknown, failed");
	return -2;
}

static void handle_domains(struct call *c)
{
	struct question *q = ask(c);
	int64_t limit = TOP, verdict = q ? take_verdict(c) : -2;
	struct db_batch *b;

	if (verdict == -2 || !call_param_int(c, "limit", 1, TOP_MAX, &limit))
		return;
	if (q->step == STEP_MINUTE)
		q->step = STEP_HOUR; /* the finest that there is */
	q->from -= q->from % statistics_step_s[q->step];
	b = db_batch_new();
	if (!b) {
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	q->make = make_domains;
	q->rows = db_add(b,
		"SELECT domain, SUM(hits), SUM(bytes) FROM statistics_domains " IN_TIME OF_DEVICES
		" AND (? < 0 OR verdict = ?) GROUP BY domain ORDER BY SUM(hits) DESC, domain "
		"LIMIT ?",
		"iiissiii", (int64_t)q->step, q->from, q->to, q->devices, q->devices, verdict,
		verdict, limit);
	read_rows(q, b);
}

/* ---- the table ---- */

#define TIME_PARAMS                                                                                \
	{ "from", "epoch milliseconds; a day ago by default" },                                    \
		{ "to", "epoch milliseconds, does not belong to it; now by default" },             \
		{ "step", "minute, hour or day; by default what suits the time" },                 \
		{ "device", "of this one only" }, { "group", "of this group's devices only" },

static const struct route_param series_params[] = { TIME_PARAMS{ 0 } };
static const struct route_param top_params[] = {
	TIME_PARAMS{ "limit", "how many, 1 to 1000; 100 by default" }, { 0 }
};
static const struct route_param domain_params[] = { TIME_PARAMS{ "limit",
							    "how many, 1 to 1000; 100 by default" },
	{ "verdict", "allow, deny, unknown or failed; all by default" }, { 0 } };

static const struct body_field dns_fields[] = {
	{ .name = "allowed", .type = BODY_INT, .is_read_only = true },
	{ .name = "blocked", .type = BODY_INT, .is_read_only = true },
	{ .name = "failed", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_field web_fields[] = {
	{ .name = "allowed", .type = BODY_INT, .is_read_only = true },
	{ .name = "blocked", .type = BODY_INT, .is_read_only = true },
	{ .name = "unknown",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "denied: not reviewed" },
	{ .name = "failed", .type = BODY_INT, .is_read_only = true },
	{ .name = "bytes", .type = BODY_INT, .is_read_only = true, .help = "to the device" },
	{ 0 },
};
static const struct body_field refused_fields[] = {
	{ .name = "packets", .type = BODY_INT, .is_read_only = true },
	{ .name = "bytes", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_schema dns_sums = { .name = "DnsSums", .fields = dns_fields };
static const struct body_schema web_sums = { .name = "WebSums", .fields = web_fields };
static const struct body_schema refused_sums = { .name = "RefusedSums", .fields = refused_fields };

#define SUM_FIELDS                                                                                 \
	{ .name = "dns", .type = BODY_OBJECT, .of = &dns_sums },                                   \
		{ .name = "web", .type = BODY_OBJECT, .of = &web_sums },                           \
		{ .name = "refused", .type = BODY_OBJECT, .of = &refused_sums }, { 0 },

static const struct body_field point_fields[] = {
	{ .name = "at", .type = BODY_INT, .is_read_only = true, .help = "begin of the step" },
	SUM_FIELDS
};
static const struct body_field device_fields[] = {
	{ .name = "device", .type = BODY_TEXT, .max = 64 },
	{ .name = "name", .type = BODY_TEXT, .max = 256 }, SUM_FIELDS
};
static const struct body_field list_fields[] = {
	{ .name = "list", .type = BODY_TEXT, .max = 64 },
	{ .name = "title", .type = BODY_TEXT, .max = 256 },
	{ .name = "hits", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_field list_point_fields[] = {
	{ .name = "at", .type = BODY_INT, .is_read_only = true, .help = "begin of the step" },
	{ .name = "hits", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_field domain_fields[] = {
	{ .name = "domain", .type = BODY_TEXT, .max = 253, .help = "registrable" },
	{ .name = "hits", .type = BODY_INT, .is_read_only = true },
	{ .name = "bytes", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_schema point = { .name = "VerdictPoint", .fields = point_fields };
static const struct body_schema device_schema = { .name = "DeviceSums", .fields = device_fields };
static const struct body_schema list_schema = { .name = "ListSums", .fields = list_fields };
static const struct body_schema list_point = { .name = "ListPoint", .fields = list_point_fields };
static const struct body_schema domain_schema = { .name = "DomainSums", .fields = domain_fields };

#define ANSWER_FIELDS(item)                                                                        \
	{                                                                                          \
		{ .name = "from", .type = BODY_INT, .is_read_only = true },                        \
			{ .name = "to", .type = BODY_INT, .is_read_only = true },                  \
			{ .name = "step", .type = BODY_ENUM, .values = statistics_step_texts },    \
			{ .name = "items", .type = BODY_OBJECTS, .of = &(item) }, { 0 },           \
	}
static const struct body_field points_fields[] = ANSWER_FIELDS(point);
static const struct body_field devices_fields[] = ANSWER_FIELDS(device_schema);
static const struct body_field lists_fields[] = ANSWER_FIELDS(list_schema);
static const struct body_field list_points_fields[] = ANSWER_FIELDS(list_point);
static const struct body_field domains_fields[] = ANSWER_FIELDS(domain_schema);
static const struct body_schema points = { .name = "VerdictSeries",
	.fields = points_fields,
	.example = "{\"from\":1795996400000,\"to\":1796000000000,\"step\":\"minute\",\"items\""
		   ":[{\"at\":1795999940000,\"dns\":{\"allowed\":120,\"blocked\":14,\"failed\""
		   ":0},\"web\":{\"allowed\":80,\"blocked\":3,\"unknown\":2,\"failed\":1,\"byt"
		   "es\":734003},\"refused\":{\"packets\":4,\"bytes\":240}}]}" };
static const struct body_schema devices = { .name = "DeviceStatistics",
	.fields = devices_fields,
	.example = "{\"from\":1795996400000,\"to\":1796000000000,\"step\":\"minute\",\"items\""
		   ":[{\"device\":\"phone\",\"name\":\"Phone\",\"dns\":{\"allowed\":120,\"bloc"
		   "ked\":14,\"failed\":0},\"web\":{\"allowed\":80,\"blocked\":3,\"unknown\":2"
		   ",\"failed\":1,\"bytes\":734003},\"refused\":{\"packets\":4,\"bytes\":240}}"
		   "]}" };
static const struct body_schema lists = { .name = "ListStatistics",
	.fields = lists_fields,
	.example = "{\"from\":1795996400000,\"to\":1796000000000,\"step\":\"minute\",\"items\""
		   ":[{\"list\":\"adblock\",\"title\":\"Advertising\",\"hits\":14}]}" };
static const struct body_schema list_points = { .name = "ListSeries",
	.fields = list_points_fields,
	.example = "{\"from\":1795996400000,\"to\":1796000000000,\"step\":\"minute\",\"items\""
		   ":[{\"at\":1795999940000,\"hits\":3}]}" };
static const struct body_schema domains = { .name = "DomainStatistics",
	.fields = domains_fields,
	.example = "{\"from\":1795996400000,\"to\":1796000000000,\"step\":\"minute\",\"items\""
		   ":[{\"domain\":\"example.org\",\"hits\":41,\"bytes\":91822}]}" };

#define STATISTICS(at, answer, query, what, does)                                                  \
	{                                                                                          \
		.method = "GET", .path = "/api/v1/statistics/" at, .front = FRONT_ADMIN,           \
		.roles = BY_ALL, .scope = SCOPE_DEVICES, .reach = REACH_GROUPS,                    \
		.response = &(answer), .status = 200, .params = (query), .tag = "statistics",      \
		.summary = (what), .handle = (does)                                                \
	}
static const struct route routes[] = {
	STATISTICS("verdicts", points, series_params,
		"Verdicts over time; steps without any are left out", handle_verdicts),
	STATISTICS(
		"devices", devices, top_params, "Verdicts by device, most first", handle_devices),
	STATISTICS("lists", lists, series_params, "What lists blocked, most first", handle_lists),
	STATISTICS("lists/{id}", list_points, series_params, "What one list blocked, over time",
		handle_list),
	STATISTICS("domains", domains, domain_params,
		"Domains asked for, most first, as far as devices' privacy lets them be told",
		handle_domains),
};

struct route_set routes_statistics(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
