/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/notify.h"
#include "apid/routes.h"

#include <errno.h>
#include <string.h>

/* Notifications: how they go, and the test button (SPEC A10). What is told to whom is the setting
 * `notifications`. */

static void handle_get(struct call *c)
{
	call_json(c, 200, notify_json(c->api->notify));
}

static void on_tested(void *arg, const char *error)
{
	struct call *c = arg;

	if (error)
		call_problem_code(c, 422, "not_sent", error);
	else
		call_empty(c, 204);
	exchange_end_work(&c->x);
}

static void handle_test(struct call *c)
{
	const char *way = json_get(c->body, "way")->valuestring;
	int r;

	exchange_begin_work(&c->x);
	r = notify_test(
		c->api->notify, strcmp(way, "mail") ? NOTIFY_WEBHOOK : NOTIFY_MAIL, on_tested, c);
	if (!r)
		return;
	if (r == -ENOENT)
		call_problem(c, 409, "the setting notifications does not name one");
	else
		call_problem_later(c, 503, "another one is on its way", 5);
	exchange_end_work(&c->x);
}

static const struct body_field channel_fields[] = {
	{ .name = "configured", .type = BODY_BOOL, .is_read_only = true },
	{ .name = "waiting", .type = BODY_INT, .is_read_only = true },
	{ .name = "sent", .type = BODY_INT, .is_read_only = true, .help = "since the start" },
	{ .name = "dropped",
		.type = BODY_INT,
		.is_read_only = true,
		.help = "too many waited, or after a day" },
	{ .name = "sent_at", .type = BODY_INT, .is_read_only = true, .help = "epoch milliseconds" },
	{ .name = "error",
		.type = BODY_TEXT,
		.is_read_only = true,
		.help = "of the last try; absent: it went well" },
	{ 0 },
};
static const struct body_schema channel_schema = { .name = "NotificationWay",
	.fields = channel_fields };
static const struct body_field fields[] = {
	{ .name = "webhook", .type = BODY_OBJECT, .is_read_only = true, .of = &channel_schema },
	{ .name = "mail", .type = BODY_OBJECT, .is_read_only = true, .of = &channel_schema },
	{ 0 },
};
static const struct body_schema schema = { .name = "NotificationState",
	.fields = fields,
	.example = "{\"webhook\":{\"configured\":true,\"waiting\":0,\"sent\":2,\"dropped\":0,"
		   "\"sent_at\":1796000000000},\"mail\":{\"configured\":false,\"waiting\":0,\""
		   "sent\":0,\"dropped\":0}}" };
static const char *const ways[] = { "webhook", "mail", NULL };
static const struct body_field test_fields[] = {
	{ .name = "way", .type = BODY_ENUM, .is_required = true, .values = ways },
	{ 0 },
};
static const struct body_schema test_schema = {
	.name = "NotificationTest", .fields = test_fields, .example = "{\"way\":\"mail\"}"
};

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/api/v1/notifications",
		.front = FRONT_ADMIN,
		.roles = BY_ADMINS,
		.scope = SCOPE_SYSTEM,
		.reach = REACH_ALL,
		.response = &schema,
		.status = 200,
		.tag = "settings",
		.summary = "How notifications go; the setting `notifications` says what is told to "
			   "whom",
		.handle = handle_get },
	{ .method = "POST",
		.path = "/api/v1/notifications/test",
		.front = FRONT_ADMIN,
		.roles = BY_ADMINS,
		.scope = SCOPE_SYSTEM,
		.reach = REACH_ALL,
		.request = &test_schema,
		.status = 204,
		.tag = "settings",
		.problem = 422,
		.summary = "Send one now; 422 says why it was not taken",
		.handle = handle_test },
};

struct route_set routes_notify(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
