/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/identify.h"

/*
 * Browsers in which an account logged in before: a signed cookie, bound to the account's name. What
 * others fail at locks the account for browsers that have none; one that has it is locked by its
 * own failures only, so that nobody can lock an administrator out. It opens nothing by itself.
 */
#define KNOWN_COOKIE SESSION_COOKIE "-known"

/* Does the request show the account's? Then number is what tells the browser. */
bool known_find(const struct call *c, const char *user, char number[static BASE64URL_TEXT + 1]);
/* Set-Cookie, for a browser in which user logged in: number, or a new one when that is "". */
int known_cookie(
	const struct secret *s, const char *user, const char *number, char out[static 256]);
