/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/followed.h"
#include "apid/page.h"
#include "apid/routes.h"

#include <errno.h>
#include <string.h>

static bool may_see(struct call *c, const struct table_row *row)
{
	const struct table *devices = store_table(c->api->store, TOPIC_devices);
	const struct table_row *device = row->device ? table_find(devices, row->device) : NULL;

	return call_may_see(c, device ? device->group : NULL);
}

/* NULL: not there, for who asks. */
static const struct table_row *find(struct call *c)
{
	const struct table_row *row = table_find(&c->api->followed->pinned, c->args[0]);

	return row && may_see(c, row) ? row : NULL;
}

static void handle_list(struct call *c)
{
	page_answer(c, &c->api->followed->pinned, may_see);
}

static void handle_get(struct call *c)
{
	const struct table_row *row = find(c);

	if (row)
		call_text_with(c, 200, "application/json", row->text, row->len, row->etag, NULL);
	else
		call_failed(c, -ENOENT, NULL);
}

/* ---- taking back: noted, then done by proxyd ---- */

static int note_step(void *arg, struct db_batch *b, unsigned number)
{
	const struct deed *d = arg;

	(void)number;
	write_audit(b, &d->by, "pinned_revoke", d->c->args[0], d->text, NULL);
	return 0;
}

static void on_unpinned(void *arg, int status, const cJSON *result)
{
	struct call *c = arg;
	const char *code = cJSON_GetStringValue(json_get(result, "code"));

	if (!status)
		call_empty(c, 204);
	else if (code && !strcmp(code, "unknown"))
		call_failed(c, -ENOENT, NULL);
	else
		call_problem_later(c, 503, "proxyd does not answer", 2);
	exchange_end_work(&c->x);
}

static void unpin(struct deed *d)
{
	struct call *c = d->c;
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "id", c->args[0]);
	exchange_begin_work(&c->x);
	if (!bus_request(followed_pinned_at(c->api->followed, c->args[0])->bus,
		    REQUEST_proxyd_unpin, args, on_unpinned, c))
		return;
	call_problem_later(c, 503, "the bus does not answer", 2);
	exchange_end_work(&c->x);
}

static void handle_revoke(struct call *c)
{
	const struct table_row *row = find(c);
	struct deed *d;

	if (!row) {
		call_failed(c, -ENOENT, NULL);
		return;
	}
	d = deed_new(c, note_step, unpin);
	if (!d)
		return;
	d->topic = "pinned";
	d->id = c->args[0];
	d->text = strdup(row->text);
	deed_start(d);
}

static const struct body_schema pinned_schema = { .name = "Pinned",
	.is_record = true,
	.record = REC_pinned,
	.example = "{\"id\":\"api.bank.example@phone\",\"device\":\"phone\","
		   "\"name\":\"api.bank.example\",\"until\":1796000000000,\"count\":3}" };

#define ROUTE(m, p)                                                                                \
	.method = m, .path = p, .front = FRONT_ADMIN, .auth = AUTH_ACCOUNT, .roles = BY_ALL,       \
	.scope = SCOPE_POLICY, .reach = REACH_GROUPS, .tag = "policy"

static const struct route routes[] = {
	{ ROUTE("GET", "/api/v1/pinned"), .response = &pinned_schema, .is_page = true,
		.status = 200, .params = page_params,
		.summary = "Names that apps reach undecrypted because they refuse the certificate",
		.handle = handle_list },
	{ ROUTE("GET", "/api/v1/pinned/{id}"), .response = &pinned_schema, .status = 200,
		.summary = "One of them", .handle = handle_get },
	{ .method = "DELETE",
		.path = "/api/v1/pinned/{id}",
		.front = FRONT_ADMIN,
		.auth = AUTH_ACCOUNT,
		.roles = BY_HELPERS,
		.scope = SCOPE_POLICY,
		.reach = REACH_GROUPS,
		.tag = "policy",
		.status = 204,
		.summary = "End it, and learn it no more for as long as it would have lasted",
		.handle = handle_revoke },
};

struct route_set routes_pinned(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
