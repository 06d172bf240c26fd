/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/api.h"
#include "apid/call.h"
#include "apid/identify.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the head: auth, CSRF, role ---- */

static void refuse_unknown(struct call *c, const char *allowed)
{
	struct http_head extra;
	static const char text[] = "{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\","
				   "\"status\":405}";

	if (!allowed[0]) {
		call_problem(c, 404, "there is nothing here");
		return;
	}
	http_head_init(&extra);
	http_head_add(&extra, "Allow", allowed);
	call_text_with(c, 405, "application/problem+json", text, sizeof(text) - 1, NULL, &extra);
	http_head_fini(&extra);
}

static void refuse_unauthorized(struct call *c, const char *why)
{
	static const char bearer[] = "Bearer realm=\"culvert\"";
	struct http_head extra;
	cJSON *json = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(json, "type", "about:blank");
	cJSON_AddStringToObject(json, "title", "Unauthorized");
	cJSON_AddNumberToObject(json, "status", 401);
	cJSON_AddStringToObject(json, "detail", why);
	text = json_format(json);
	cJSON_Delete(json);
	http_head_init(&extra);
	http_head_add(&extra, "WWW-Authenticate", bearer);
	call_text_with(c, 401, "application/problem+json", text ? text : "{}",
		text ? strlen(text) : 2, NULL, &extra);
	http_head_fini(&extra);
	free(text);
}

/* NULL, or why the account may not. */
static const char *role_refused(const struct call *c)
{
	const struct route *r = c->route;
	bool reads = !strcmp(r->method, "GET");
	const struct token *t;

	if (c->actor.kind != ACTOR_SESSION && c->actor.kind != ACTOR_TOKEN)
		return NULL;
	if (c->actor.kind == ACTOR_TOKEN) {
		t = hmap_find_str(&store_accounts(c->api->store)->tokens, c->actor.credential);
		if (r->auth == AUTH_SESSION || r->scope == SCOPE_NONE)
			return "no token may do that";
		if (!t || !(t->scopes >> (r->scope + (reads ? 0 : SCOPE_WRITE_SHIFT)) & 1))
			return "the token's scope does not include that";
	}
	if (!(r->roles & BY(c->actor.role)))
		return "the role does not include that";
	if (r->reach == REACH_ALL && c->actor.groups)
		return "only for accounts that are not limited to groups";
	return NULL;
}

/* Stands it before i, too? */
static bool is_repeated(const struct uri *u, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (!strcmp(u->params[k].name, u->params[i].name))
			return true;
	}
	return false;
}

/* NULL, or a parameter of the query that the route has not; *why: or has once. */
static const char *wrong_param(const struct call *c, const char **why)
{
	for (size_t i = 0; i < c->uri.n_params; i++) {
		const struct route_param *p = c->route->params;

		while (p && p->name && strcmp(p->name, c->uri.params[i].name))
			p++;
		*why = !p || !p->name ? "is no parameter here" : "stands there twice";
		if (!p || !p->name || is_repeated(&c->uri, i))
			return c->uri.params[i].name;
	}
	return NULL;
}

/* A device is no account, whatever its id. Seconds to wait. */
static unsigned take_turn(struct call *c)
{
	char key[80];
	int len = snprintf(key, sizeof(key), "%s %s",
		c->actor.kind == ACTOR_DEVICE ? "device" : "account", c->actor.name);

	return limiter_take(&c->api->accounts, key, (size_t)len);
}

static void check_head(struct call *c)
{
	const char *why = NULL;
	int refused = identify(c, &why);
	unsigned wait = 0;

	if (refused == 401) {
		refuse_unauthorized(c, why);
		return;
	}
	if (refused) {
		call_problem_later(c, refused, why, 2);
		return;
	}
	refused = identify_csrf(c, &why);
	if (refused) {
		call_problem(c, refused, why);
		return;
	}
	if (c->actor.kind != ACTOR_NONE)
		wait = take_turn(c);
	if (wait)
		call_problem_later(c, 429, "too many requests of this account", wait);
	else if ((why = role_refused(c)))
		call_problem(c, 403, why);
}

static void on_head(struct exchange *x, enum route_front front)
{
	struct call *c = (struct call *)x;
	const struct http_head *head = exchange_head(x);
	char allowed[64];
	int err = uri_parse(head->target, &c->uri);

	c->api = x->owner;
	if (err) {
		call_problem(c, err == -ENAMETOOLONG ? 414 : 400, "the address is not well-formed");
		return;
	}
	c->route = router_find(c->api->router, front, head->method, &c->uri, c->args, allowed);
	if (!c->route) {
		refuse_unknown(c, allowed);
		return;
	}
	if (c->route->body_max)
		x->body_max = c->route->body_max;
	check_head(c);
}

static void on_admin_head(struct exchange *x)
{
	on_head(x, FRONT_ADMIN);
}

static void on_device_head(struct exchange *x)
{
	on_head(x, FRONT_DEVICE);
}

/* ---- the body ---- */

/* The path names the record; a body that names another one is wrong. */
static bool take_id(struct call *c)
{
	const char *field = c->route->id_field;
	const cJSON *id = json_get(c->body, field);
	char pointer[64];

	if (!id)
		return cJSON_AddStringToObject(c->body, field, c->args[0]);
	if (cJSON_IsString(id) && !strcmp(id->valuestring, c->args[0]))
		return true;
	snprintf(pointer, sizeof(pointer), "/%s", field);
	call_invalid(c, pointer, "is not the one in the address");
	return false;
}

/* Answers when the body is wrong. */
static bool take_body(struct call *c)
{
	const struct route *r = c->route;
	struct body_error err;
	int fault;

	if (!r->request) {
		if (!c->x.body.len)
			return true;
		call_invalid(c, "", "must be empty here");
		return false;
	}
	if (r->takes_form && exchange_has_type(&c->x, FORM_TYPE))
		return true;
	if (!exchange_has_type(&c->x, "application/json") &&
		!(r->is_patch && exchange_has_type(&c->x, "application/merge-patch+json"))) {
		call_problem(c, 415, "Content-Type is not application/json");
		return false;
	}
	fault = json_read(
		c->x.body.data ? (const char *)c->x.body.data : "", c->x.body.len, &c->body);
	if (fault == -ENOMEM) {
		call_problem_later(c, 503, "no memory", 5);
		return false;
	}
	if (!cJSON_IsObject(c->body)) {
		call_invalid(c, "", "is not one JSON object with each field once");
		return false;
	}
	body_drop_read_only(r->request, c->body);
	if (r->id_field && c->args[0] && !take_id(c))
		return false;
	fault = r->is_patch ? 0 : body_check(r->request, c->body, &err);
	if (fault)
		call_unfit(c, fault, &err);
	return !fault;
}

static void on_body(struct exchange *x)
{
	struct call *c = (struct call *)x;
	const char *why, *param = wrong_param(c, &why);

	if (param)
		call_invalid(c, param, why);
	else if (take_body(c) && c->x.req)
		c->route->handle(c);
}

static void on_refused(struct exchange *x, int status, const char *why, unsigned retry_s)
{
	struct call *c = (struct call *)x;

	c->api = x->owner;
	if (retry_s)
		call_problem_later(c, status, why, retry_s);
	else
		call_problem(c, status, why);
}

static void on_free(struct exchange *x)
{
	struct call *c = (struct call *)x;

	if (c->free_data)
		c->free_data(c->data);
	cJSON_Delete(c->body);
	if (c->has_users)
		hmap_fini(&c->users);
	group_set_unref(c->actor.groups);
}

const struct front_ops *api_front_ops(enum route_front front)
{
	static const struct front_ops admin = {
		.exchange_size = sizeof(struct call),
		.on_head = on_admin_head,
		.on_body = on_body,
		.on_refused = on_refused,
		.on_free = on_free,
	};
	static const struct front_ops device = {
		.exchange_size = sizeof(struct call),
		.on_head = on_device_head,
		.on_body = on_body,
		.on_refused = on_refused,
		.on_free = on_free,
	};

	return front == FRONT_ADMIN ? &admin : &device;
}

int api_init(struct api *a)
{
	lockout_init(&a->lockout);
	hmap_init(&a->cookies, free);
	return router_new(&a->router);
}

void api_fini(struct api *a)
{
	router_free(a->router);
	limiter_fini(&a->accounts);
	limiter_fini(&a->hints);
	lockout_fini(&a->lockout);
	hmap_fini(&a->cookies);
	secret_fini(&a->secret);
	free(a->document);
	free(a->setup_file);
	free(a->backup_request_file);
	free(a->backup_status_file);
	free(a->setup_hash);
	free(a->admin_url);
}
