/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/device_change.h"
#include "apid/device_doc.h"
#include "apid/identify.h"
#include "apid/routes.h"
#include "common/log.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a device does itself: its document, its key, its enrolment. */

static const struct route_param wait_params[] = {
	{ "wait", "seconds, at most 60: with If-None-Match the answer waits until it is another" },
	{ 0 },
};

#define TEXT(n, h)                                                                                 \
	{                                                                                          \
		.name = n, .type = BODY_TEXT, .is_read_only = true, .is_nullable = true,           \
		.max = 512, .help = h                                                              \
	}

static const struct body_field doc_fields[] = {
	TEXT("id", NULL),
	{ .name = "active", .type = BODY_BOOL, .is_read_only = true },
	{ .name = "expiresAtMs", .type = BODY_INT, .is_read_only = true, .is_nullable = true },
	TEXT("stripeSubscriptionId", NULL),
	TEXT("wgAddress", "the first of wgAddresses"),
	{ .name = "wgAddresses", .type = BODY_TEXTS, .is_read_only = true, .max = 2 },
	{ .name = "wgPort", .type = BODY_INT, .is_read_only = true, .is_nullable = true },
	TEXT("wgServerPublicKey", NULL),
	TEXT("wgEndpoint", NULL),
	TEXT("wgDns", NULL),
	TEXT("wgPublicKey", "the device's own"),
	{ .name = "entitled", .type = BODY_BOOL, .is_read_only = true },
	TEXT("reason", NULL),
	TEXT("token", "the device's own, in the answer to its enrolment alone"),
	{ .name = "turn",
		.type = BODY_ANY,
		.is_read_only = true,
		.help = "uris, username, credential, ttl: time-limited credentials for coturn" },
	{ 0 },
};
static const struct body_schema doc_schema = { .name = "DeviceDocument",
	.fields = doc_fields,
	.example = "{\"id\":\"phone\",\"active\":true,\"expiresAtMs\":null,\"stripeSubscriptio"
		   "nId\":null,\"wgAddress\":\"10.9.0.2\",\"wgAddresses\":[\"10.9.0.2\",\"fd09"
		   "::2\"],\"wgPort\":51820,\"wgServerPublicKey\":\"gN65BkIKy1eCE9pP1wdc8ROUtk"
		   "HLF2PfAqYdyYBz6EA=\",\"wgEndpoint\":\"vpn.example.org\",\"wgDns\":\"10.9.0"
		   ".1\",\"wgPublicKey\":\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\",\"en"
		   "titled\":true,\"reason\":\"entitled\"}" };

static const struct body_field key_fields[] = {
	{ .name = "public_key",
		.type = BODY_TEXT,
		.is_required = true,
		.max = PUBLIC_KEY_LEN,
		.is_good = public_key_is_good,
		.form = "is not a WireGuard key",
		.pattern = "^[A-Za-z0-9+/]{43}=$" },
	{ 0 },
};
static const struct body_schema key_schema = { .name = "DeviceKey",
	.fields = key_fields,
	.example = "{\"public_key\":\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"}" };

static void on_key(struct device_change *d)
{
	device_doc_answer(d->c);
}

static void handle_key(struct call *c)
{
	struct device_change *d = device_change_new(c, c->actor.name, DEVICE_KEY);

	if (!d)
		return;
	snprintf(d->public_key, sizeof(d->public_key), "%s",
		json_get(c->body, "public_key")->valuestring);
	d->on_success = on_key;
	device_change_start(d);
}

/* ---- enrolment ---- */

/* The link's device; else answers. */
static const struct device_token *find_link(struct call *c, char hash[static 2 * DIGEST_LEN + 1])
{
	struct accounts *accounts = store_accounts(c->api->store);
	const struct device_token *t = NULL;
	unsigned wait = lockout_left(&c->api->lockout, &c->x.host, sizeof(c->x.host));

	if (wait) {
		call_problem_later(c, 429, "too many tries", wait);
		return NULL;
	}
	if (!accounts_hash(c->args[0], strlen(c->args[0]), hash))
		t = hmap_find_str(&accounts->device_tokens, hash);
	if (t && t->is_enrolment && t->expires_at > clock_wall_ms())
		return t;
	lockout_fail(&c->api->lockout, &c->x.host, sizeof(c->x.host));
	if (call_wants_page(c))
		call_page(c, 404, "This link is not good",
			"<p>It is wrong, was used, or is older than 24 hours. Ask for a new "
			"one.</p>\n",
			NULL);
	else
		call_problem(c, 404, "the link is wrong, was used, or is older than 24 hours");
	return NULL;
}

static const struct body_field link_fields[] = {
	TEXT("device", NULL),
	{ .name = "expires_at", .type = BODY_INT, .is_read_only = true },
	{ 0 },
};
static const struct body_schema link_schema = { .name = "EnrolmentLink",
	.fields = link_fields,
	.example = "{\"device\":\"phone\",\"expires_at\":1796000000000}" };

/* Ids and links hold no letter that means something in HTML. */
static void show_page(struct call *c, const struct device_token *t)
{
	struct buf body;

	buf_init(&body, 4096);
	buf_printf(&body,
		"<p>This link connects the device <strong>%s</strong>. It is good once, for 24 "
		"hours; looking at this page does not use it up.</p>\n<p><label>On that device, "
		"with WireGuard’s tools:<br>\n<textarea readonly rows=\"4\" cols=\"34\">"
		"culvert-enrol %s/enrol/%s</textarea></label></p>\n<p>The private key is made "
		"there and stays there.</p>\n",
		t->device, c->api->admin_url, c->args[0]);
	if (body.failed)
		call_problem(c, 503, "no memory");
	else
		call_page(c, 200, "Connect a device", (char *)body.data, NULL);
	buf_fini(&body);
}

/* Shows what the link is for, and leaves it good: programs that preview links do no harm. */
static void handle_show(struct call *c)
{
	char hash[2 * DIGEST_LEN + 1];
	const struct device_token *t = find_link(c, hash);
	cJSON *json;

	if (!t)
		return;
	if (call_wants_page(c)) {
		show_page(c, t);
		return;
	}
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "device", t->device);
	cJSON_AddNumberToObject(json, "expires_at", (double)t->expires_at);
	call_json(c, 200, json);
}

/*
 * The link is taken out, so that nobody else uses it meanwhile; the key is set; then the link
 * counts as used, what the device had before ends, and there is a token. A key that cannot be set
 * puts the link back.
 */
struct enrol {
	struct device_change d; /* first */
	char link[2 * DIGEST_LEN + 1];
	char token[TOKEN_TEXT], token_hash[2 * DIGEST_LEN + 1];
	size_t found; /* statement */
	int64_t created_at, expires_at;
};

static int take_link_step(void *arg, struct db_batch *b, unsigned number)
{
	struct enrol *e = arg;
	const struct db_rows *link;

	if (number == 0) {
		e->found = db_add(b,
			"SELECT created_at, expires_at FROM device_tokens WHERE hash = ? AND kind "
			"= 'enrolment' "
			"AND expires_at > ? FOR UPDATE",
			"si", e->link, clock_wall_ms());
		return 1;
	}
	link = db_batch_rows(b, e->found);
	if (!link->n)
		return -ENOENT;
	e->created_at = atoll(db_cell(link, 0, 0));
	e->expires_at = atoll(db_cell(link, 0, 1));
	db_add(b, "DELETE FROM device_tokens WHERE hash = ?", "s", e->link);
	return 0;
}

/* What a lost device has is worth nothing once another takes its place. */
static int enrol_step(void *arg, struct db_batch *b, unsigned number)
{
	struct enrol *e = arg;
	struct store_actor by;

	(void)number;
	call_by(e->d.c, &by);
	snprintf(by.name, sizeof(by.name), "device:%s", e->d.id);
	accounts_device_end_add(b, e->d.id);
	db_add(b,
		"INSERT INTO device_tokens (hash, device, kind, created_at) VALUES (?, ?, 'token', "
		"?)",
		"ssi", e->token_hash, e->d.id, clock_wall_ms());
	write_audit(b, &by, "device_enrol", e->d.id, NULL, NULL);
	return 0;
}

static int put_link_back_step(void *arg, struct db_batch *b, unsigned number)
{
	struct enrol *e = arg;

	(void)number;
	db_add(b,
		"INSERT INTO device_tokens (hash, device, kind, created_at, expires_at) SELECT ?, "
		"id, 'enrolment', ?, ? FROM devices WHERE id = ?",
		"siis", e->link, e->created_at, e->expires_at, e->d.id);
	return 0;
}

static void answer_enrolled(struct enrol *e)
{
	char *text = device_doc_text(e->d.c->api->docs, e->d.id);
	cJSON *json = text ? json_parse(text, strlen(text)) : NULL;

	free(text);
	if (json)
		cJSON_AddStringToObject(json, "token", e->token);
	call_json(e->d.c, 200, json);
}

static void on_enrolled(void *arg, int status)
{
	struct enrol *e = arg;
	struct call *c = e->d.c;

	if (status) {
		call_failed(c, status, NULL);
	} else {
		accounts_device_end(store_accounts(c->api->store), e->d.id, e->token_hash);
		answer_enrolled(e);
	}
	exchange_end_work(&c->x);
}

static void on_key_set(struct device_change *d)
{
	struct enrol *e = (struct enrol *)d;

	exchange_begin_work(&d->c->x);
	store_transact(
		d->c->api->store, "device_tokens", e->token_hash, enrol_step, on_enrolled, e);
}

static void on_link_back(void *arg, int status)
{
	struct enrol *e = arg;

	if (status)
		log_warning("an enrolment link is used up though the key was not set device=%s",
			e->d.id);
	device_change_refuse(&e->d);
	exchange_end_work(&e->d.c->x);
}

static void on_key_failed(struct device_change *d)
{
	struct enrol *e = (struct enrol *)d;

	exchange_begin_work(&d->c->x);
	store_transact(
		d->c->api->store, "device_tokens", e->link, put_link_back_step, on_link_back, e);
}

static void on_link_taken(void *arg, int status)
{
	struct enrol *e = arg;
	struct call *c = e->d.c;

	if (status == -ENOENT)
		call_problem(c, 404, "the link was used");
	else if (status)
		call_failed(c, status, NULL);
	else
		device_change_start(&e->d);
	exchange_end_work(&c->x);
}

static void free_enrol(void *data)
{
	explicit_bzero(data, sizeof(struct enrol));
	free(data);
}

static void handle_enrol(struct call *c)
{
	char hash[2 * DIGEST_LEN + 1];
	const struct device_token *t = find_link(c, hash);
	struct enrol *e = t ? calloc(1, sizeof(*e)) : NULL;

	if (!t)
		return;
	if (!e || token_make(DEVICE_TOKEN_PREFIX, e->token, e->token_hash)) {
		free(e);
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	c->data = e;
	c->free_data = free_enrol;
	e->d.c = c;
	e->d.kind = DEVICE_KEY;
	memcpy(e->link, hash, sizeof(e->link));
	snprintf(e->d.id, sizeof(e->d.id), "%s", t->device);
	snprintf(e->d.public_key, sizeof(e->d.public_key), "%s",
		json_get(c->body, "public_key")->valuestring);
	e->d.on_success = on_key_set;
	e->d.on_failure = on_key_failed;
	exchange_begin_work(&c->x);
	store_transact(c->api->store, "device_tokens", e->link, take_link_step, on_link_taken, e);
}

#define BOTH (FRONT_ADMIN | FRONT_DEVICE)

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/device",
		.front = BOTH,
		.auth = AUTH_DEVICE,
		.response = &doc_schema,
		.status = 200,
		.params = wait_params,
		.tag = "device",
		.summary = "The device's document",
		.handle = device_doc_answer },
	{ .method = "PUT",
		.path = "/device/key",
		.front = BOTH,
		.auth = AUTH_DEVICE,
		.request = &key_schema,
		.response = &doc_schema,
		.status = 200,
		.body_max = 4096,
		.tag = "device",
		.summary = "Give the device's new public key",
		.handle = handle_key },
	{ .method = "GET",
		.path = "/enrol/{link}",
		.front = BOTH,
		.auth = AUTH_NONE,
		.response = &link_schema,
		.status = 200,
		.tag = "device",
		.other_type = "text/html",
		.summary = "What is the enrolment link for? To browsers a page",
		.handle = handle_show },
	{ .method = "POST",
		.path = "/enrol/{link}",
		.front = BOTH,
		.auth = AUTH_NONE,
		.request = &key_schema,
		.response = &doc_schema,
		.status = 200,
		.body_max = 4096,
		.tag = "device",
		.summary = "Use the enrolment link up: the device's key is set, its document and a "
			   "token come back",
		.handle = handle_enrol },
};

struct route_set routes_device(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
