/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/device_change.h"
#include "apid/identify.h"
#include "apid/qr.h"
#include "apid/routes.h"
#include "apid/tunnels.h"
#include "common/random.h"
#include "common/timer.h"
#include "wgd/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a device is given to come in with: its configuration, enrolment links, tokens. */

enum { ENROLMENT_MS = 24 * 3600 * 1000 };

/* ---- configuration and keys ---- */

static void handle_config(struct call *c)
{
	const struct table_row *row = device_row(c, c->args[0]);
	cJSON *json = row ? json_parse(row->text, row->len) : NULL;
	struct buf out;

	if (!row)
		return;
	buf_init(&out, 8192);
	if (!json || tunnels_config(c->api, json, NULL, NULL, &out))
		call_problem_later(
			c, 503, "the setting endpoint or the tunnel is not known yet", 5);
	else
		call_text(c, 200, "text/plain; charset=utf-8", (char *)out.data, out.len);
	buf_fini(&out);
	cJSON_Delete(json);
}

static const struct body_field config_fields[] = {
	{ .name = "config",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 8192,
		.help = "for wg-quick and the WireGuard apps; the private key is kept nowhere" },
	{ .name = "qr", .type = BODY_TEXT, .is_read_only = true, .max = 1 << 20, .help = "SVG" },
	{ 0 },
};
static const struct body_schema config_schema = { .name = "DeviceConfig",
	.fields = config_fields,
	.example = "{\"config\":\"[Interface]\\nAddress = 10.9.0.2/32\\n…\",\"qr\":\"<svg>…</s"
		   "vg>\"}" };

static void answer_config(struct device_change *d)
{
	const struct table_row *row =
		table_find(store_table(d->c->api->store, TOPIC_devices), d->id);
	cJSON *device = row ? json_parse(row->text, row->len) : NULL, *json;
	struct buf out;
	char *qr;

	buf_init(&out, 8192);
	if (!device || tunnels_config(d->c->api, device, d->secret, d->preshared_key, &out)) {
		call_problem_later(
			d->c, 503, "the setting endpoint or the tunnel is not known yet", 5);
	} else {
		qr = qr_svg((char *)out.data);
		json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "config", (char *)out.data);
		cJSON_AddStringToObject(json, "qr", qr ? qr : "");
		free(qr);
		call_json(d->c, 200, json);
	}
	if (out.data)
		explicit_bzero(out.data, out.cap);
	buf_fini(&out);
	cJSON_Delete(device);
}

/* Fresh keys, made here: the private one leaves with the answer only. */
static int make_keys(struct device_change *d)
{
	struct wg_key private_key, public_key, preshared;
	int err = wg_key_generate(&private_key);

	if (!err)
		err = wg_key_public(&private_key, &public_key);
	if (!err)
		err = random_bytes(NULL, preshared.bytes, sizeof(preshared.bytes)) ? -EIO : 0;
	if (!err) {
		wg_key_format(&private_key, d->secret);
		wg_key_format(&public_key, d->public_key);
		wg_key_format(&preshared, d->preshared_key);
	}
	wg_key_wipe(&private_key);
	wg_key_wipe(&preshared);
	return err;
}

/* Else the device would lose the keys it has, and nobody get the new ones. */
static bool has_config(const struct call *c, const struct table_row *row)
{
	cJSON *json = json_parse(row->text, row->len);
	struct buf out;
	bool has;

	buf_init(&out, 8192);
	has = json && !tunnels_config(c->api, json, NULL, NULL, &out);
	buf_fini(&out);
	cJSON_Delete(json);
	return has;
}

static void handle_make_config(struct call *c)
{
	const struct table_row *row = device_row(c, c->args[0]);
	struct device_change *d;

	if (!row)
		return;
	if (!has_config(c, row)) {
		call_problem_later(
			c, 503, "the setting endpoint or the tunnel is not known yet", 5);
		return;
	}
	d = device_change_new(c, c->args[0], DEVICE_KEY);
	if (!d)
		return;
	if (make_keys(d)) {
		call_problem(c, 503, "no key could be made");
		return;
	}
	d->on_success = answer_config;
	device_change_start(d);
}

/* ---- enrolment links and device tokens ---- */

struct credential {
	struct call *c;
	char device[DEVICE_ID_MAX + 1];
	char text[TOKEN_TEXT], hash[2 * DIGEST_LEN + 1];
	bool is_enrolment;
	int64_t expires_at;
	size_t count; /* statement */
};

/* Of one device: every apid keeps all in memory. */
enum { CREDENTIALS_MAX = 32 };

static int credential_step(void *arg, struct db_batch *b, unsigned number)
{
	struct credential *k = arg;
	struct store_actor by;

	if (number == 0) {
		db_add(b,
			"DELETE FROM device_tokens WHERE expires_at IS NOT NULL AND expires_at < ?",
			"i", clock_wall_ms());
		k->count = db_add(
			b, "SELECT COUNT(*) FROM device_tokens WHERE device = ?", "s", k->device);
		return 1;
	}
	if (atoll(db_cell(db_batch_rows(b, k->count), 0, 0)) >= CREDENTIALS_MAX)
		return -EEXIST;
	call_by(k->c, &by);
	db_add(b,
		"INSERT INTO device_tokens (hash, device, kind, created_at, expires_at) VALUES (?, "
		"?, "
		"?, ?, NULLIF(?, 0))",
		"sssii", k->hash, k->device, k->is_enrolment ? "enrolment" : "token",
		clock_wall_ms(), k->expires_at);
	write_audit(b, &by, k->is_enrolment ? "enrolment_add" : "device_token_add", k->device, NULL,
		NULL);
	return 0;
}

static void on_credential(void *arg, int status)
{
	struct credential *k = arg;
	struct call *c = k->c;
	char url[512], *qr;
	cJSON *json;

	if (status) {
		call_failed(c, status,
			status == -EEXIST ? "the device has 32 tokens and links: end them first"
					  : NULL);
		exchange_end_work(&c->x);
		return;
	}
	json = cJSON_CreateObject();
	if (k->is_enrolment) {
		snprintf(url, sizeof(url), "%s/enrol/%s", c->api->admin_url, k->text);
		qr = qr_svg(url);
		cJSON_AddStringToObject(json, "url", url);
		cJSON_AddNumberToObject(json, "expires_at", (double)k->expires_at);
		cJSON_AddStringToObject(json, "qr", qr ? qr : "");
		free(qr);
	} else {
		cJSON_AddStringToObject(json, "token", k->text);
	}
	call_json(c, 201, json);
	exchange_end_work(&c->x);
}

static void free_credential(void *data)
{
	explicit_bzero(data, sizeof(struct credential));
	free(data);
}

static void start_credential(struct call *c, bool is_enrolment)
{
	const struct table_row *row = device_row(c, c->args[0]);
	struct credential *k = row ? calloc(1, sizeof(*k)) : NULL;

	if (!row)
		return;
	if (!k || token_make(is_enrolment ? ENROLMENT_PREFIX : DEVICE_TOKEN_PREFIX, k->text,
			  k->hash)) {
		free(k);
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	k->c = c;
	k->is_enrolment = is_enrolment;
	k->expires_at = is_enrolment ? clock_wall_ms() + ENROLMENT_MS : 0;
	snprintf(k->device, sizeof(k->device), "%s", row->id);
	c->data = k;
	c->free_data = free_credential;
	exchange_begin_work(&c->x);
	store_transact(c->api->store, "device_tokens", k->hash, credential_step, on_credential, k);
}

static void handle_enrolment(struct call *c)
{
	start_credential(c, true);
}

static void handle_token(struct call *c)
{
	start_credential(c, false);
}

static int end_tokens_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;

	(void)number;
	accounts_device_end_add(b, d->name);
	write_audit(b, &d->by, "device_tokens_end", d->name, NULL, NULL);
	return 0;
}

static void answer_ended(struct deed *d)
{
	accounts_device_end(store_accounts(d->c->api->store), d->name, NULL);
	call_empty(d->c, 204);
}

static void handle_end_tokens(struct call *c)
{
	const struct table_row *row = device_row(c, c->args[0]);
	struct deed *d = row ? deed_new(c, end_tokens_step, answer_ended) : NULL;

	if (!d)
		return;
	d->topic = "device_tokens";
	snprintf(d->name, sizeof(d->name), "%s", row->id);
	deed_start(d);
}

static const struct body_field enrolment_fields[] = {
	{ .name = "url", .type = BODY_TEXT, .is_read_only = true, .max = 512 },
	{ .name = "expires_at", .type = BODY_INT, .is_read_only = true },
	{ .name = "qr", .type = BODY_TEXT, .is_read_only = true, .max = 1 << 20, .help = "SVG" },
	{ 0 },
};
static const struct body_schema enrolment_schema = { .name = "Enrolment",
	.fields = enrolment_fields,
	.example = "{\"url\":\"https://vpn.example.org/enrol/cve_n4VGRHgudSOxD-DBVi-30H2NjMaq9"
		   "tJqs8eacKDer_Y\",\"expires_at\":1796000000000,\"qr\":\"<svg>…</svg>\"}" };
static const struct body_field token_fields[] = {
	{ .name = "token",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 64,
		.help = "told once; only its hash is kept" },
	{ 0 },
};
static const struct body_schema token_schema = { .name = "DeviceToken",
	.fields = token_fields,
	.example = "{\"token\":\"cvd_k6CVV0NLwrN6ooDM7OH8G81gt3rXtA8K8SEME_Nh4hc\"}" };

#define DEVICES "/api/v1/devices"
#define ROUTE(m, p, who)                                                                           \
	.method = m, .path = p, .front = FRONT_ADMIN, .roles = who, .scope = SCOPE_DEVICES,        \
	.reach = REACH_GROUPS, .tag = "devices"

static const struct route routes[] = {
	{ ROUTE("GET", DEVICES "/{id}/config", BY_ALL), .response_type = "text/plain",
		.status = 200, .summary = "WireGuard configuration without the private key",
		.handle = handle_config },
	{ ROUTE("POST", DEVICES "/{id}/config", BY_ADMINS), .response = &config_schema,
		.status = 200,
		.summary = "Make new keys here and give the whole configuration, once",
		.handle = handle_make_config },
	{ ROUTE("POST", DEVICES "/{id}/enrolment", BY_ADMINS), .response = &enrolment_schema,
		.status = 201, .summary = "Make a one-time enrolment link, good for 24 hours",
		.handle = handle_enrolment },
	{ ROUTE("POST", DEVICES "/{id}/token", BY_ADMINS), .response = &token_schema, .status = 201,
		.summary = "Make a token with which the device reads its document",
		.handle = handle_token },
	{ ROUTE("DELETE", DEVICES "/{id}/token", BY_ADMINS), .status = 204,
		.summary = "End the device's tokens and enrolment links",
		.handle = handle_end_tokens },
};

struct route_set routes_credentials(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
