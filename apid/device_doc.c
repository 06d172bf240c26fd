/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/device_doc.h"
#include "apid/tunnels.h"
#include "common/timer.h"

#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MAX_S = 60, WAITING_MAX = 4096, WAITS_PER_DEVICE = 4, TICK_MS = 5000 };

struct wait {
	struct list node;
	struct call *c;
	struct device_docs *docs;
	uint64_t until; /* monotonic ms */
};

/* ---- the document ---- */

/*
 * username = expiry:device, credential = base64(HMAC-SHA1(secret, username)). The expiry moves in
 * steps of half the lifetime, so that the document does not change with every second.
 */
static void add_turn(const struct device_docs *d, const char *id, cJSON *out)
{
	const mbedtls_md_info_t *sha1 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA1);
	int64_t now = clock_wall_ms() / 1000, half = d->turn_ttl_s / 2, expiry;
	unsigned char sum[20], text[32];
	char name[96];
	size_t len;
	cJSON *turn, *uris;

	if (!d->turn_secret || !sha1)
		return;
	expiry = (now / half + 2) * half;
	snprintf(name, sizeof(name), "%lld:%s", (long long)expiry, id);
	if (mbedtls_md_hmac(sha1, (const unsigned char *)d->turn_secret, strlen(d->turn_secret),
		    (const unsigned char *)name, strlen(name), sum) ||
		mbedtls_base64_encode(text, sizeof(text), &len, sum, sizeof(sum)))
		return;
	turn = cJSON_AddObjectToObject(out, "turn");
	uris = cJSON_AddArrayToObject(turn, "uris");
	for (size_t i = 0; i < d->turn_uris->n; i++)
		cJSON_AddItemToArray(uris, cJSON_CreateString(d->turn_uris->v[i]));
	cJSON_AddStringToObject(turn, "username", name);
	cJSON_AddStringToObject(turn, "credential", (char *)text);
	cJSON_AddNumberToObject(turn, "ttl", (double)d->turn_ttl_s);
}

static void add_text(cJSON *out, const char *name, const char *text)
{
	if (text)
		cJSON_AddStringToObject(out, name, text);
	else
		cJSON_AddNullToObject(out, name);
}

/* What depends on the tunnel; null while it is not known. */
static void add_tunnel(const struct api *a, const cJSON *device, cJSON *out)
{
	const char *name = cJSON_GetStringValue(json_get(device, "tunnel"));
	const struct conf_tunnel *t = name ? tunnel_find(a->tunnels, a->tunnel_count, name) : NULL;
	const struct tunnel_info *info = name ? tunnels_find(a->tunnel_infos, name) : NULL;
	char dns[ADDR_STRLEN] = "";

	if (t && t->addresses.n)
		addr_format(&t->addresses.v[0].addr, dns);
	if (info)
		cJSON_AddNumberToObject(out, "wgPort", (double)info->port);
	else
		cJSON_AddNullToObject(out, "wgPort");
	add_text(out, "wgServerPublicKey", info ? info->public_key : NULL);
	add_text(out, "wgEndpoint", tunnels_endpoint(a, t));
	add_text(out, "wgDns", dns[0] ? dns : NULL);
}

static void add_address(const cJSON *device, cJSON *out)
{
	cJSON *all = cJSON_Duplicate(json_get(device, "addresses"), true);

	add_text(out, "wgAddress", cJSON_GetStringValue(cJSON_GetArrayItem(all, 0)));
	cJSON_AddItemToObject(out, "wgAddresses", all ? all : cJSON_CreateArray());
}

static cJSON *make(const struct device_docs *d, const struct table_row *row, const cJSON *device)
{
	const struct api *a = d->api;
	enum entitlement e = store_entitlement(a->store, row->id);
	cJSON *out = cJSON_CreateObject();
	int64_t expires;

	cJSON_AddStringToObject(out, "id", row->id);
	cJSON_AddBoolToObject(out, "active", !cJSON_IsFalse(json_get(device, "active")));
	if (json_get_int(json_get(device, "expires_at"), &expires))
		cJSON_AddNumberToObject(out, "expiresAtMs", (double)expires);
	else
		cJSON_AddNullToObject(out, "expiresAtMs");
	add_text(out, "stripeSubscriptionId",
		cJSON_GetStringValue(json_get(device, "subscription")));
	add_address(device, out);
	add_tunnel(a, device, out);
	add_text(out, "wgPublicKey", cJSON_GetStringValue(json_get(device, "public_key")));
	cJSON_AddBoolToObject(out, "entitled", e == ENTITLED);
	cJSON_AddStringToObject(out, "reason", entitlement_text(e));
	add_turn(d, row->id, out);
	return out;
}

char *device_doc_text(const struct device_docs *d, const char *id)
{
	const struct table_row *row = table_find(store_table(d->api->store, TOPIC_devices), id);
	cJSON *device = row ? json_parse(row->text, row->len) : NULL;
	cJSON *doc = device ? make(d, row, device) : NULL;
	char *text = doc ? json_format(doc) : NULL;

	cJSON_Delete(doc);
	cJSON_Delete(device);
	return text;
}

/* ---- answering ---- */

/* Has the client just this one? */
static bool is_known(const struct call *c, const char *etag)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *match = head ? http_head_get(head, "if-none-match") : NULL;

	return match && strstr(match, etag);
}

/* True when it was answered; with can_wait not while the client has what there is. */
static bool answer(struct call *c, bool can_wait)
{
	char *text = device_doc_text(c->api->docs, c->actor.name), etag[19];

	if (!text) {
		call_problem(c, 404, "there is no such device");
		return true;
	}
	table_etag(text, strlen(text), etag);
	if (can_wait && is_known(c, etag)) {
		free(text);
		return false;
	}
	call_text_with(c, 200, "application/json", text, strlen(text), etag, NULL);
	free(text);
	return true;
}

static void end_wait(struct wait *w)
{
	struct call *c = w->c;

	list_remove(&w->node);
	w->docs->count--;
	free(w);
	exchange_end_work(&c->x);
}

/* A client that is gone waits no more. */
static void look(struct wait *w, bool is_over)
{
	if (!w->c->x.req || answer(w->c, !is_over))
		end_wait(w);
}

/* The oldest wait of a device that has as many as it may; NULL = it has fewer. */
static struct wait *find_excess(struct device_docs *d, const char *device)
{
	struct wait *oldest = NULL;
	size_t n = 0;

	list_foreach_safe (&d->waiting, it) {
		struct wait *w = container_of(it, struct wait, node);

		if (strcmp(w->c->actor.name, device))
			continue;
		if (!n++)
			oldest = w;
	}
	return n < WAITS_PER_DEVICE ? NULL : oldest;
}

void device_doc_answer(struct call *c)
{
	struct device_docs *d = c->api->docs;
	struct wait *w, *excess;
	int64_t seconds = 0;

	if (!call_param_int(c, "wait", 0, WAIT_MAX_S, &seconds) ||
		answer(c, seconds && d->count < WAITING_MAX))
		return;
	w = calloc(1, sizeof(*w));
	if (!w) {
		answer(c, false);
		return;
	}
	/* So that no device takes the others' places. */
	while ((excess = find_excess(d, c->actor.name)))
		look(excess, true);
	w->c = c;
	w->docs = d;
	w->until = clock_mono_ms() + (uint64_t)seconds * 1000;
	list_add(&d->waiting, &w->node);
	d->count++;
	exchange_begin_work(&c->x);
	if (seconds * 1000 < TICK_MS)
		timer_start(&d->tick, (uint64_t)seconds * 1000, TICK_MS);
}

void device_docs_changed(struct device_docs *d, const char *topic, const char *id)
{
	bool is_device = !strcmp(topic, "devices");

	if (!is_device && strcmp(topic, "settings") && strcmp(topic, "users") &&
		strcmp(topic, "groups"))
		return;
	list_foreach_safe (&d->waiting, it) {
		struct wait *w = container_of(it, struct wait, node);

		if (!is_device || !strcmp(w->c->actor.name, id))
			look(w, false);
	}
}

static void on_tick(struct timer *t)
{
	struct device_docs *d = t->data;
	uint64_t now = clock_mono_ms();

	list_foreach_safe (&d->waiting, it) {
		struct wait *w = container_of(it, struct wait, node);

		look(w, w->until <= now);
	}
}

int device_docs_open(struct device_docs *d, struct api *api)
{
	d->api = api;
	list_init(&d->waiting);
	timer_init(api->loop, &d->tick, on_tick, d);
	timer_start(&d->tick, TICK_MS, TICK_MS);
	return 0;
}

void device_docs_close(struct device_docs *d)
{
	if (!d->api)
		return;
	timer_close(&d->tick, NULL);
	list_foreach_safe (&d->waiting, it)
		end_wait(container_of(it, struct wait, node));
}
