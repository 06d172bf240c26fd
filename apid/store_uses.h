/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"

/*
 * What uses a record by its id: the websites of a category, the devices of a profile, a group or a
 * user, whoever has a list switched off, what a schedule blocks. A record in use is not removed:
 * what used it would pass to the next one of that id.
 */
struct store_uses {
	size_t first, count; /* statements; count 0: none */
	int table;
	bool is_new;
};

/*
 * Adds the statements that look for it, with the lock had. is_new: there is no such record, and one
 * is to be made: what was left by one that was taken away (by Directus, by a seed), for that would
 * be the new one's. False: nothing can use a record of that table; none was added.
 */
bool store_uses_add(
	struct db_batch *b, int table, const char *id, bool is_new, struct store_uses *out);
/* Can records of that table be used? */
bool store_uses_exist(int table);
/* Is there any? -EBUSY with *why saying what and how many, to be freed; 0; -ENOMEM. */
int store_uses_take(const struct db_batch *b, const struct store_uses *u, char **why);
