/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"
#include "apid/precondition.h"

/*
 * A call that is one transaction about accounts: what most handlers of accounts, tokens, sessions
 * and keys consist of. Owned by its call.
 */
struct deed {
	struct call *c;
	struct store_actor by;
	const char *topic, *id; /* for store_transact */
	store_step step;	/* its argument is the deed */
	/* After success; NULL: 204. */
	void (*answer)(struct deed *d);
	const char *conflict; /* what -EEXIST means */
	struct precondition pre;
	/* Room for step and answer. */
	char name[65], role[8], hash[2 * DIGEST_LEN + 1], secret[160];
	char password[64];
	size_t row, other; /* statements */
	char *text;	   /* freed with the deed */
};

/* NULL after it answered that there is no memory. */
struct deed *deed_new(struct call *c, store_step step, void (*answer)(struct deed *d));
/* Takes If-Match and If-None-Match over, for deed_check. False after it answered that they are
 * wrong.
 */
bool deed_take_precondition(struct deed *d);
/* For step: does what it found there fit? json, as GET answers it, is taken over. 0, -ESTALE,
 * -ENOMEM. */
int deed_check(const struct deed *d, cJSON *json);
void deed_start(struct deed *d);
/* The same once the password is hashed, into password; for those who set one. */
void deed_start_with(struct deed *d, const char *password);
