/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"
#include "apid/call.h"
#include "apid/resources.h"

/* The six routes of a resource: list, post, get, put, patch, delete. r must last. -ENOMEM. */
int record_make_routes(const struct resource *r, struct route out[static 6]);
void record_free_routes(struct route routes[static 6]);

/* Gives the body an id of its own where it has none. NULL: answered, it is no string or there is no
 * memory. */
const char *record_take_id(struct call *c, const char *key);

/* May a record be called so? 1 to 130 of A-Z a-z 0-9 . _ : - */
bool record_id_is_good(const char *id);

/* RFC 7396: patch into target, both objects; takes nothing over. False without memory. */
bool merge_patch(cJSON *target, const cJSON *patch);
