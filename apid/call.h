/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"
#include "apid/front.h"
#include "apid/route.h"
#include "apid/uri.h"
#include "apid/write.h"

/* Who makes a call. */
struct actor {
	enum { ACTOR_NONE, ACTOR_SESSION, ACTOR_TOKEN, ACTOR_DEVICE } kind;
	char name[65]; /* of the administrator, or of the device */
	enum role role;
	struct group_set *groups;	     /* NULL = all; a reference of its own */
	char credential[2 * DIGEST_LEN + 1]; /* hash of session or token */
	char token_id[33];
};

/* One call of the API. Kept while its exchange is: between exchange_begin_work and _end_work. */
struct call {
	struct exchange x; /* first */
	struct api *api;
	struct uri uri;
	const struct route *route;
	const char *args[ROUTE_ARGS_MAX];
	struct actor actor;
	cJSON *body;
	char csrf[BASE64URL_TEXT + 1]; /* of the session; "" = none */
	struct hmap users;	       /* whose devices one may see, once has_users */
	bool has_users;
	void *data; /* the handler's, freed with free_data */
	void (*free_data)(void *data);
};

/* ---- what is asked ---- */

/* A parameter of the query; NULL = not there. */
const char *call_param(const struct call *c, const char *name);
/* A number in a parameter: false when it is there but none in min..max (and answered). */
bool call_param_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out);
/* May who asks see and change what belongs to that group (NULL = to none)? */
bool call_may_see(const struct call *c, const char *group);
/* The same of a VPN user: is one of the user's devices one that one may see? */
bool call_may_see_user(struct call *c, const char *user);
/* For the audit. */
void call_by(const struct call *c, struct store_actor *by);

/* ---- answers: one per call ---- */

/* Takes json over. NULL: 503. */
void call_json(struct call *c, int status, cJSON *json);
/* The same with an ETag, which If-Match of a change is held against (apid/precondition.h). */
void call_json_tagged(struct call *c, int status, cJSON *json);
void call_text(struct call *c, int status, const char *type, const char *text, size_t len);
/* The same with ETag; 304 where the client has it. etag NULL = none. extra may be NULL. */
void call_text_with(struct call *c, int status, const char *type, const char *text, size_t len,
	const char *etag, const struct http_head *extra);
void call_empty(struct call *c, int status); /* 204 */
/* Does a browser ask, which wants a page to be looked at, rather than a program? (RFC 9110 12.5.1)
 */
bool call_wants_page(const struct call *c);
/* Such a page: without script, in the style of the UI. body: HTML, of texts that were escaped.
 * extra may be NULL. */
void call_page(struct call *c, int status, const char *title, const char *body,
	const struct http_head *extra);
/* The headers that every answer has: Content-Security-Policy csp, Cache-Control cache, and what
 * goes for all. */
void call_add_security(
	const struct call *c, struct http_head *h, const char *csp, const char *cache);
/* RFC 9457. detail may be NULL. */
void call_problem(struct call *c, int status, const char *detail);
/* With Retry-After. */
void call_problem_later(struct call *c, int status, const char *detail, unsigned retry_s);
/* With a member `code`, for programs. */
void call_problem_code(struct call *c, int status, const char *code, const char *detail);
/* 400: the field that is wrong, as a JSON pointer or the name of a parameter. */
void call_invalid(struct call *c, const char *pointer, const char *reason);
/* What body_check has found: -EINVAL, -ENOMEM. */
void call_unfit(struct call *c, int r, const struct body_error *err);
/* What a failed operation of the store is to a client: 503, 409 … status is negative. */
void call_failed(struct call *c, int status, const char *why);
