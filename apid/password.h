/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Passwords of administrators: bcrypt ($2b$), in libuv's work pool. */
enum { PASSWORD_MIN = 12, PASSWORD_MAX = 72, PASSWORD_COST = 12, PASSWORD_HASH_MAX = 64 };

/* May it become somebody's password? NULL, or why not. Bytes above 72 would not count in bcrypt. */
const char *password_refused(const char *text);
/* The same as a check of bodies, and what it asks for. */
bool password_is_good(const char *text);
#define PASSWORD_FORM "has fewer than 12 characters or more than 72 bytes"

struct passwords {
	uv_loop_t *loop;
	int cost;      /* of new ones, and of checks against nobody's */
	unsigned jobs; /* under way */
};

/* Hashes. 0, and on_done is called once from the loop: 0 with the hash (valid during the call) or
 * -errno. -EBUSY: too many wait; -ENOMEM. p must outlive it. */
int password_hash(struct passwords *p, const char *text,
	void (*on_done)(void *arg, int status, const char *hash), void *arg);
/* Compares; hash NULL: takes as long as with one, and does not match. Returns as above. */
int password_check(struct passwords *p, const char *text, const char *hash,
	void (*on_done)(void *arg, bool is_match), void *arg);
