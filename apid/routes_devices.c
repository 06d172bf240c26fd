/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/device_body.h"
#include "apid/device_change.h"
#include "apid/gateways.h"
#include "apid/page.h"
#include "apid/peers.h"
#include "apid/record.h"
#include "apid/routes.h"
#include "common/timer.h"

/* ---- reading ---- */

static void handle_list(struct call *c)
{
	page_answer(c, store_table(c->api->store, TOPIC_devices), device_may_see);
}

static void handle_get(struct call *c)
{
	const struct table_row *row = device_row(c, c->args[0]);

	if (row)
		call_text_with(c, 200, "application/json", row->text, row->len, row->etag, NULL);
}

static const struct body_field status_fields[] = {
	{ .name = "id", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ .name = "entitled", .type = BODY_BOOL, .is_read_only = true },
	{ .name = "reason",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 64,
		.help = "why it is not entitled: inactive, expired, over quota …" },
	{ .name = "online",
		.type = BODY_BOOL,
		.is_read_only = true,
		.is_nullable = true,
		.help = "has it a session? null, as all below: nothing was heard since the start" },
	{ .name = "handshake_at",
		.type = BODY_INT,
		.is_read_only = true,
		.is_nullable = true,
		.help = "last handshake, epoch milliseconds" },
	{ .name = "handshake_age_s", .type = BODY_INT, .is_read_only = true, .is_nullable = true },
	{ .name = "endpoint",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 64,
		.help = "address and port that it was last heard from" },
	{ .name = "rx_bytes",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 20,
		.help = "from the device, a number as text" },
	{ .name = "tx_bytes",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 20,
		.help = "to the device" },
	{ .name = "gateway",
		.type = BODY_TEXT,
		.is_read_only = true,
		.is_nullable = true,
		.max = 16,
		.help = "that has its tunnel, where there are several" },
	{ 0 },
};
static const struct body_schema status_schema = {
	.name = "DeviceStatus",
	.fields = status_fields,
	.example =
		"{\"id\":\"phone\",\"entitled\":true,\"reason\":\"entitled\",\"online\":tru"
		"e,\"handshake_at\":1796000000000,\"handshake_age_s\":12,\"endpoint\":\"198"
		".51.100.9:40112\",\"rx_bytes\":\"73400\",\"tx_bytes\":\"912003\",\"gateway\":null}"
};

static void add_text(cJSON *json, const char *name, const char *text)
{
	if (text && text[0])
		cJSON_AddStringToObject(json, name, text);
	else
		cJSON_AddNullToObject(json, name);
}

/* What wgd told of its session. */
static void add_peer(cJSON *json, const struct peer_info *i)
{
	int64_t now = clock_wall_ms();
	int64_t age_s = i && now > i->handshake_at ? (now - i->handshake_at) / 1000 : 0;

	if (i)
		cJSON_AddBoolToObject(json, "online", peer_is_online(i, now));
	else
		cJSON_AddNullToObject(json, "online");
	if (i && i->handshake_at) {
		cJSON_AddNumberToObject(json, "handshake_at", (double)i->handshake_at);
		cJSON_AddNumberToObject(json, "handshake_age_s", (double)age_s);
	} else {
		cJSON_AddNullToObject(json, "handshake_at");
		cJSON_AddNullToObject(json, "handshake_age_s");
	}
	add_text(json, "endpoint", i ? i->endpoint : NULL);
	add_text(json, "rx_bytes", i ? i->rx_bytes : NULL);
	add_text(json, "tx_bytes", i ? i->tx_bytes : NULL);
}

static void handle_status(struct call *c)
{
	const struct table_row *row = device_row(c, c->args[0]);
	enum entitlement e;
	cJSON *json;

	if (!row)
		return;
	e = store_entitlement(c->api->store, row->id);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "id", row->id);
	cJSON_AddBoolToObject(json, "entitled", e == ENTITLED);
	cJSON_AddStringToObject(json, "reason", entitlement_text(e));
	add_peer(json, peers_find(c->api->peers, row->id));
	add_text(json, "gateway", gateways_of_row(c->api->gateways, row->text)->name);
	call_json(c, 200, json);
}

/* ---- changing ---- */

static void start(struct call *c, const char *id, enum device_change_kind kind)
{
	struct device_change *d;

	if (!device_id_is_good(id)) {
		call_invalid(c, "/id", "is not 1 to 64 of A-Z a-z 0-9 . _ : -");
		return;
	}
	d = device_change_new(c, id, kind);
	if (!d)
		return;
	if (precondition_parse(exchange_head(&c->x), &d->pre))
		device_change_start(d);
	else
		call_invalid(c, "If-None-Match", "is not *");
}

static void handle_put(struct call *c)
{
	start(c, c->args[0], DEVICE_PUT);
}

static void handle_patch(struct call *c)
{
	start(c, c->args[0], DEVICE_PATCH);
}

static void handle_delete(struct call *c)
{
	start(c, c->args[0], DEVICE_DELETE);
}

static void handle_post(struct call *c)
{
	const char *id = record_take_id(c, "id");
	struct body_error err;
	int fault;

	if (!id)
		return;
	fault = body_check(&device_schema, c->body, &err);
	if (fault)
		call_unfit(c, fault, &err);
	else
		start(c, id, DEVICE_POST);
}

#define DEVICES "/api/v1/devices"
#define ROUTE(m, p, who)                                                                           \
	.method = m, .path = p, .front = FRONT_ADMIN, .roles = who, .scope = SCOPE_DEVICES,        \
	.reach = REACH_GROUPS, .tag = "devices"

static const struct route routes[] = {
	{ ROUTE("GET", DEVICES, BY_ALL), .response = &device_schema, .is_page = true, .status = 200,
		.params = page_params, .summary = "The devices", .handle = handle_list },
	{ ROUTE("POST", DEVICES, BY_ADMINS), .request = &device_schema, .is_patch = true,
		.id_field = "id", .response = &device_schema, .status = 201,
		.summary = "Make a device", .handle = handle_post },
	{ ROUTE("GET", DEVICES "/{id}", BY_ALL), .response = &device_schema, .status = 200,
		.summary = "One device", .handle = handle_get },
	{ ROUTE("PUT", DEVICES "/{id}", BY_ADMINS), .request = &device_schema, .id_field = "id",
		.response = &device_schema, .status = 200, .summary = "Make or replace a device",
		.handle = handle_put },
	{ ROUTE("PATCH", DEVICES "/{id}", BY_ADMINS), .request = &device_schema, .is_patch = true,
		.id_field = "id", .response = &device_schema, .status = 200,
		.summary = "Change a device", .handle = handle_patch },
	{ ROUTE("DELETE", DEVICES "/{id}", BY_ADMINS), .status = 204,
		.summary = "Remove a device, its keys and tokens", .handle = handle_delete },
	{ ROUTE("GET", DEVICES "/{id}/status", BY_ALL), .response = &status_schema, .status = 200,
		.summary = "Is the device entitled, and if not, why? Is it online?",
		.handle = handle_status },
};

struct route_set routes_devices(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
