/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"

/*
 * Who makes a call: by the signed cookie of a session, a bearer token (RFC 6750) of an account or
 * one of a device.
 */
#define SESSION_COOKIE	    "__Host-culvert"
#define TOKEN_PREFIX	    "cvt_" /* of accounts' tokens */
#define DEVICE_TOKEN_PREFIX "cvd_"
#define ENROLMENT_PREFIX    "cve_"
/* A prefix and 32 random bytes. */
#define TOKEN_TEXT (4 + BASE64URL_TEXT + 1)

/* Fills c->actor as the route asks for. 0, or the status that refuses, with why. */
int identify(struct call *c, const char **why);
/* Is what identify found for the route still so: the session or token is there, with the same role
 * and the same groups? */
bool identify_again(const struct api *a, const struct actor *actor, const struct route *route);
/* 0, or 403: a change that another site may have made the browser send. */
int identify_csrf(const struct call *c, const char **why);
/* Is Origin, where there is one, ours? */
bool identify_origin(const struct call *c);

/* The value of a cookie, not terminated; NULL = none. Of two the first is taken: __Host- lets
 * nobody else set it. */
const char *cookie_find(const struct http_head *head, const char *name, size_t *len);

/* A new token: text and its hash. 0 or -EIO. */
int token_make(
	const char *prefix, char text[static TOKEN_TEXT], char hash[static 2 * DIGEST_LEN + 1]);

/* A new session: the cookie's value (SESSION_VALUE bytes) and the hash that is stored. */
#define SESSION_VALUE (2 * BASE64URL_TEXT + 2)
int session_make(const struct secret *s, char value[static SESSION_VALUE],
	char hash[static 2 * DIGEST_LEN + 1]);
/* The hash of the session whose cookie came with the call, which may be over; "" = none came. */
void session_brought(const struct call *c, char hash[static 2 * DIGEST_LEN + 1]);
/* X-CSRF-Token of the session with that hash. */
int session_csrf(const struct secret *s, const char *hash, char out[static BASE64URL_TEXT + 1]);
/* Set-Cookie; value NULL: takes it away. out has 256 bytes. */
void session_cookie(const char *value, int64_t max_age_s, char out[static 256]);
