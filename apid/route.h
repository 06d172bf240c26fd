/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/accounts.h"
#include "apid/body.h"

/*
 * The one table of what the API can do: dispatch, roles, scopes, validation and the OpenAPI
 * document all come from it.
 *
 * To add a resource whose records are a table of the store: one row in apid/resources.c (its path,
 * table, schema, who may change it). List, read, put, patch, post and delete come by themselves.
 *
 * To add anything else: a `struct route` in the array of a file apid/routes_NOUN.c, that array in
 * route_sets (apid/routes.c), and a handler
 *     static void handle(struct call *c)
 * which is called once everything the row says is checked: who asks (c->actor), the body (c->body,
 * which fits route.request), the path's parameters (c->args, in their order), the query
 * (call_param). It answers exactly once, now or later, with call_json, call_text, call_empty,
 * call_problem or call_invalid (apid/call.h). What is limited to groups by REACH_GROUPS the handler
 * checks itself, with call_may_see.
 */
struct call;

/* Who may: one bit per role. */
#define BY(role)   (1u << (role))
#define BY_OWNER   BY(ROLE_OWNER)
#define BY_ADMINS  (BY(ROLE_OWNER) | BY(ROLE_ADMIN))
#define BY_HELPERS (BY_ADMINS | BY(ROLE_HELPER))
#define BY_ALL	   (BY_HELPERS | BY(ROLE_VIEWER))

enum route_front { FRONT_ADMIN = 1, FRONT_DEVICE = 2 };
enum route_auth {
	AUTH_ACCOUNT, /* a session, or a token with route.scope */
	AUTH_SESSION, /* a session only */
	AUTH_DEVICE,  /* a device's token */
	AUTH_NONE,
};
/* What an account that is limited to groups may do here. */
enum route_reach {
	REACH_ANY,    /* the same as anybody */
	REACH_GROUPS, /* the handler looks at the records' groups */
	REACH_ALL,    /* nothing: the route is for those without a limit */
};

struct route_param {
	const char *name; /* NULL ends the list */
	const char *help;
};

struct route {
	const char *method;
	const char *path; /* "/api/v1/devices/{id}" */
	enum route_front front;
	enum route_auth auth;
	unsigned roles;	  /* BY_… */
	enum scope scope; /* that a token needs; SCOPE_NONE: no token may */
	enum route_reach reach;
	const struct body_schema *request; /* NULL = no body */
	bool is_patch;		  /* the body is a merge patch (RFC 7396): checked by the handler */
	bool takes_metrics_token; /* metrics_token_file does, too */
	bool takes_form; /* the body may be a form too (FORM_TYPE): read by the handler, c->body is
			    NULL then */
	const char *id_field; /* the body's field that is the path's first parameter; NULL = none */
	const struct body_schema *response; /* NULL = no body, or not JSON (response_type) */
	bool is_page;			    /* {"items":[response …],"next":…} */
	const char *response_type;	    /* of what is not JSON */
	const char *other_type; /* that the answer may have instead: a page, to browsers, or CSV */
	int problem; /* a status that it may answer besides those of all routes (openapi.c), or 0 */
	int status;  /* of success */
	const struct route_param *params; /* of the query; others are refused */
	size_t body_max;		  /* bytes, 0 = 64 KiB */
	const char *tag, *summary;
	const char *help; /* more than the summary; NULL = nothing */
	const void *data; /* the handler's */
	void (*handle)(struct call *c);
};

#define FORM_TYPE "application/x-www-form-urlencoded"

enum { ROUTE_ARGS_MAX = 3 };

/* All of them, ready to be looked up. */
struct router;
int router_new(struct router **out);
void router_free(struct router *r);
const struct route *router_routes(const struct router *r, size_t *n);

struct uri;
/*
 * The route for it on that listener, args filled. NULL: none; then *allowed, at least 64 bytes, has
 * the methods that the path takes, "" when there is no such path.
 */
const struct route *router_find(const struct router *r, enum route_front front, const char *method,
	const struct uri *uri, const char *args[static ROUTE_ARGS_MAX], char allowed[static 64]);
