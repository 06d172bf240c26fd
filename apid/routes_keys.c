/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/identify.h"
#include "apid/page.h"
#include "apid/routes.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of the provisioning API: several, named, each can be replaced. Kept hashed. */

#define KEY_PREFIX "cvk_"

static bool name_is_good(const char *text)
{
	size_t len = strlen(text);

	return len && len <= 64 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       len;
}

static const struct body_field fields[] = {
	{ .name = "name",
		.type = BODY_TEXT,
		.is_required = true,
		.min = 1,
		.max = 64,
		.is_good = name_is_good,
		.form = "holds others than A-Z a-z 0-9 . _ -",
		.pattern = "^[A-Za-z0-9._-]{1,64}$" },
	{ .name = "key", .type = BODY_TEXT, .is_read_only = true, .max = 64, .help = "told once" },
	{ 0 },
};
static const struct body_schema schema = { .name = "ProvisionKey",
	.fields = fields,
	.example = "{\"name\":\"app\",\"key\":\"cvk_GSq4opMtekz2aDYDkklUREW9TP9HJUzwIkN6Jue5f1"
		   "o\"}" };

static void handle_list(struct call *c)
{
	const struct api_keys *keys = store_api_keys(c->api->store);
	cJSON *items = cJSON_CreateArray();

	for (size_t i = 0; keys && i < keys->n; i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "name", keys->v[i].name);
		cJSON_AddItemToArray(items, item);
	}
	page_answer_items(c, items, NULL);
}

static int set_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	bool is_new = d->c->body != NULL;
	uint8_t hash[DIGEST_LEN];

	if (number == 0) {
		d->row = db_add(b, "SELECT revoked_at FROM api_keys WHERE name = ?", "s", d->name);
		return 1;
	}
	if (is_new && db_batch_rows(b, d->row)->n && !db_cell(db_batch_rows(b, d->row), 0, 0))
		return -EEXIST;
	if (!is_new && !db_batch_rows(b, d->row)->n)
		return -ENOENT;
	if (digest_sha256(d->secret, strlen(d->secret), hash))
		return -EIO;
	db_add(b, "REPLACE INTO api_keys (name, hash, created_at) VALUES (?, ?, ?)", "sbi", d->name,
		hash, (size_t)DIGEST_LEN, clock_wall_ms());
	write_audit(b, &d->by, is_new ? "provision_key_add" : "provision_key_rotate", d->name, NULL,
		NULL);
	return 0;
}

static void answer_key(struct deed *d)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "name", d->name);
	cJSON_AddStringToObject(json, "key", d->secret);
	call_json(d->c, d->c->route->status, json);
}

static int revoke_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;

	if (number == 0) {
		d->row =
			db_add(b, "SELECT name FROM api_keys WHERE name = ? AND revoked_at IS NULL",
				"s", d->name);
		return 1;
	}
	if (!db_batch_rows(b, d->row)->n)
		return -ENOENT;
	db_add(b, "UPDATE api_keys SET revoked_at = ? WHERE name = ?", "is", clock_wall_ms(),
		d->name);
	write_audit(b, &d->by, "provision_key_revoke", d->name, NULL, NULL);
	return 0;
}

static void start(struct call *c, store_step step, void (*answer)(struct deed *d), const char *name)
{
	struct deed *d = deed_new(c, step, answer);

	if (!d)
		return;
	d->topic = "api_keys";
	d->conflict = "there is a key of this name";
	snprintf(d->name, sizeof(d->name), "%s", name);
	if (token_make(KEY_PREFIX, d->secret, d->hash))
		call_problem(c, 503, NULL);
	else
		deed_start(d);
}

static void handle_post(struct call *c)
{
	start(c, set_step, answer_key, json_get(c->body, "name")->valuestring);
}

static void handle_rotate(struct call *c)
{
	start(c, set_step, answer_key, c->args[0]);
}

static void handle_delete(struct call *c)
{
	start(c, revoke_step, NULL, c->args[0]);
}

#define KEYS "/api/v1/provision-keys"
#define ROUTE(m, p)                                                                                \
	.method = m, .path = p, .front = FRONT_ADMIN, .auth = AUTH_SESSION, .roles = BY_ADMINS,    \
	.reach = REACH_ALL, .tag = "accounts"

static const struct route routes[] = {
	{ ROUTE("GET", KEYS), .response = &schema, .is_page = true, .status = 200,
		.summary = "The keys of the provisioning API", .handle = handle_list },
	{ ROUTE("POST", KEYS), .request = &schema, .response = &schema, .status = 201,
		.summary = "Make a key", .handle = handle_post },
	{ ROUTE("POST", KEYS "/{name}/rotate"), .response = &schema, .status = 200,
		.summary = "Replace a key; the old one is worth nothing at once",
		.handle = handle_rotate },
	{ ROUTE("DELETE", KEYS "/{name}"), .status = 204, .summary = "Revoke a key",
		.handle = handle_delete },
};

struct route_set routes_keys(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
