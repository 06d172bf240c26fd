/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/routes.h"
#include "apid/unblock.h"
#include "common/random.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* POST /api/v1/devices/{id}/unblock: a website for a while (SPEC A6, P5 step 3). */

enum { MINUTES_MAX = 7 * 24 * 60 };

struct unblock {
	struct call *c;
	char id[64];
	char *text;
};

static void free_unblock(void *data)
{
	struct unblock *u = data;

	free(u->text);
	free(u);
}

static int decide(void *arg, const char *old, char **out)
{
	const struct unblock *u = arg;

	(void)old;
	*out = strdup(u->text);
	return *out ? 0 : -ENOMEM;
}

static void on_done(void *arg, int status, const char *text)
{
	struct call *c = arg;

	if (status)
		call_failed(c, status, NULL);
	else
		call_text(c, 201, "application/json", text, strlen(text));
	exchange_end_work(&c->x);
}

static void on_edited(void *arg, int status, const char *text)
{
	struct unblock *u = arg;

	on_done(u->c, status, text);
}

static cJSON *make_record(const struct call *c, const char *id)
{
	const char *pattern = json_get(c->body, "pattern")->valuestring;
	const char *match = cJSON_GetStringValue(json_get(c->body, "match"));
	cJSON *out = cJSON_CreateObject();
	int64_t minutes = 0;

	json_get_int(json_get(c->body, "minutes"), &minutes);
	cJSON_AddStringToObject(out, "id", id);
	cJSON_AddStringToObject(out, "device", c->args[0]);
	cJSON_AddStringToObject(out, "pattern", pattern);
	cJSON_AddStringToObject(out, "match", match ? match : "endswith");
	cJSON_AddStringToObject(out, "action", "allow");
	cJSON_AddNumberToObject(out, "until", (double)(clock_wall_ms() + minutes * 60000));
	return out;
}

static void handle_unblock(struct call *c)
{
	const struct table_row *row =
		table_find(store_table(c->api->store, TOPIC_devices), c->args[0]);
	struct unblock *u;
	struct store_actor by;
	uint8_t raw[9];
	cJSON *record;
	char made[BASE64URL_LEN(9) + 1];

	if (!row || !call_may_see(c, row->group)) {
		call_failed(c, -ENOENT, NULL);
		return;
	}
	u = calloc(1, sizeof(*u));
	if (!u || random_bytes(NULL, raw, sizeof(raw))) {
		free(u);
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	c->data = u;
	c->free_data = free_unblock;
	u->c = c;
	base64url_format(raw, sizeof(raw), made);
	snprintf(u->id, sizeof(u->id), UNBLOCK_PREFIX "%s", made);
	record = make_record(c, u->id);
	u->text = json_format(record);
	cJSON_Delete(record);
	if (!u->text) {
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	call_by(c, &by);
	exchange_begin_work(&c->x);
	store_edit(c->api->store, TOPIC_site_overrides, u->id, &by, decide, on_edited, u);
}

static const char *const matches[] = { "exact", "endswith", "startswith", "contains", "wildcard",
	NULL };
static const struct body_field fields[] = {
	{ .name = "pattern",
		.type = BODY_TEXT,
		.is_required = true,
		.min = 1,
		.max = 2048,
		.help = "a host, or with a path" },
	{ .name = "match", .type = BODY_ENUM, .values = matches, .help = "endswith by default" },
	{ .name = "minutes",
		.type = BODY_INT,
		.is_required = true,
		.min = 1,
		.max = MINUTES_MAX,
		.help = "after which it is as before" },
	{ 0 },
};
static const struct body_schema schema = { .name = "Unblock",
	.fields = fields,
	.example = "{\"pattern\":\"example.org\",\"minutes\":60}" };
static const struct body_schema override_schema = { .name = "SiteOverride",
	.is_record = true,
	.record = REC_site_override,
	.example = "{\"id\":\"unblock-g_XHj9nOEVhm\",\"device\":\"phone\",\"pattern\":"
		   "\"example.org\",\"match\":\"endswith\",\"action\":\"allow\","
		   "\"until\":1796000000000}" };

static const struct route routes[] = {
	{ .method = "POST",
		.path = "/api/v1/devices/{id}/unblock",
		.front = FRONT_ADMIN,
		.roles = BY_HELPERS,
		.scope = SCOPE_POLICY,
		.reach = REACH_GROUPS,
		.request = &schema,
		.response = &override_schema,
		.status = 201,
		.tag = "devices",
		.summary = "Let the device have a website for a while; ended before its time by "
			   "removing the override",
		.handle = handle_unblock },
};

struct route_set routes_unblock(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
