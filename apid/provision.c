/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/provision.h"
#include "apid/provision_work.h"
#include "apid/uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 16384, CONNECTIONS_MAX = 256 };

/* One request; for a POST that may change something also its work. */
struct call {
	struct exchange x; /* first */
	struct provision_request request;
	char key[65]; /* name of the API key */
};

/* ---- answers ---- */

static void respond(struct exchange *x, int status, const cJSON *body, unsigned retry_s)
{
	char *text = json_format(body), number[16];
	struct http_head extra;

	http_head_init(&extra);
	http_head_add(&extra, "Cache-Control", "no-store");
	http_head_add(&extra, "X-Content-Type-Options", "nosniff");
	if (status == 405)
		http_head_add(&extra, "Allow", "GET, HEAD, POST");
	if (retry_s) {
		snprintf(number, sizeof(number), "%u", retry_s);
		http_head_add(&extra, "Retry-After", number);
	}
	exchange_answer(
		x, status, &extra, "application/json", text ? text : "{}", text ? strlen(text) : 2);
	free(text);
	http_head_fini(&extra);
}

static void respond_status(struct exchange *x, int status, const char *what)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "status", what);
	respond(x, status, body, 0);
	cJSON_Delete(body);
}

static void on_refused(struct exchange *x, int status, const char *error, unsigned retry_s)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "status", "failure");
	cJSON_AddStringToObject(body, "error", error);
	respond(x, status, body, retry_s);
	cJSON_Delete(body);
}

static void respond_failure(struct exchange *x, int status, const char *error)
{
	on_refused(x, status, error, 0);
}

static void succeed(struct call *c, enum entitlement entitlement)
{
	bool is_upsert = c->request.task == PROVISION_UPSERT;
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "status", "success");
	if (is_upsert && entitlement != ENTITLED) {
		cJSON_AddBoolToObject(body, "entitled", false);
		cJSON_AddStringToObject(body, "reason", entitlement_text(entitlement));
	}
	respond(&c->x, 200, body, 0);
	cJSON_Delete(body);
}

/* ---- the work ---- */

static void on_done(void *arg, const struct provision_outcome *outcome)
{
	struct call *c = arg;

	switch (outcome->status) {
	case PROVISION_DONE:
		succeed(c, outcome->entitlement);
		break;
	case PROVISION_REFUSED:
		respond_failure(&c->x, 400, outcome->why);
		break;
	case PROVISION_LATER:
		respond_failure(&c->x, 503, outcome->why);
	}
	exchange_end_work(&c->x);
}

/* ---- requests ---- */

/* 0, or the status that refuses. */
static int check_key(struct call *c, const struct provision *p, const struct http_head *head)
{
	const struct api_keys *keys = store_api_keys(p->store);
	const char *text = http_head_get(head, "x-api-key"), *name;
	size_t first = http_head_find(head, "x-api-key", 0);

	if (!text || http_head_find(head, "x-api-key", first + 1) < head->n_headers)
		return 401;
	if (!keys)
		return 503;
	name = api_keys_find(keys, text);
	if (!name)
		return 401;
	snprintf(c->key, sizeof(c->key), "%s", name);
	return 0;
}

static void check_post(struct exchange *x, const struct http_head *head)
{
	struct call *c = (struct call *)x;
	int refused = check_key(c, x->owner, head);
	uint64_t len = http_request_length(x->req);

	if (refused == 401)
		respond_failure(x, 401, "x-api-key is missing or wrong");
	else if (refused)
		respond_failure(x, refused, "the database does not answer");
	else if (len != UINT64_MAX && len > BODY_MAX)
		respond_failure(x, 413, "the body is larger than 16 KiB");
	else if (!exchange_has_type(x, "application/json"))
		respond_failure(x, 400, "Content-Type is not application/json");
}

static void on_head(struct exchange *x)
{
	const struct http_head *head = exchange_head(x);
	struct uri uri;

	if (uri_parse(head->target, &uri) || uri.n_segments)
		respond_failure(x, 404, "there is only /");
	else if (!strcmp(head->method, "GET") || !strcmp(head->method, "HEAD"))
		respond_status(x, 200, "ok");
	else if (!strcmp(head->method, "POST"))
		check_post(x, head);
	else
		respond_failure(x, 405, "the method is neither GET nor POST");
}

static void on_body(struct exchange *x)
{
	struct call *c = (struct call *)x;
	const struct provision *p = x->owner;
	struct store_actor by;
	char why[128];

	if (provision_request_parse(x->body.data ? (const char *)x->body.data : "", x->body.len,
		    p->tunnels, p->tunnel_count, &c->request, why)) {
		respond_failure(x, 400, why);
		return;
	}
	snprintf(by.name, sizeof(by.name), "key:%s", c->key);
	addr_format(&x->client, by.address);
	exchange_begin_work(x);
	provision_work(p->store, p->publisher, &c->request, &by, on_done, c);
}

int provision_open(uv_loop_t *loop, const struct endpoint *at, struct provision *p)
{
	static const struct front_ops ops = {
		.exchange_size = sizeof(struct call),
		.on_head = on_head,
		.on_body = on_body,
		.on_refused = on_refused,
	};
	const struct front_options options = {
		.name = "provisioning",
		.at = *at,
		.connections_max = CONNECTIONS_MAX,
		.body_max = BODY_MAX,
		.ops = &ops,
		.arg = p,
	};

	return front_open(loop, &options, &p->front);
}
