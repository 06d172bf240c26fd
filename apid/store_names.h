/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"
#include "common/hmap.h"

struct store;

/*
 * What records that are to be written name by its id: a group, a category, a profile. What was
 * checked in memory may have been removed by another apid a moment ago; with the lock had the
 * database says so. What is not in memory either was let pass by who checked (a category of
 * Directus).
 */
struct store_names {
	struct hmap seen; /* "table:id" */
	struct store_name {
		const char *gone; /* what to say then: a constant */
		size_t statement;
	} * v;
	size_t n, cap;
};

void store_names_init(struct store_names *names);
void store_names_fini(struct store_names *names);
/* Adds the statements that look for what the record of table (with TOPIC_devices a device's other
 * fields), JSON, names; each but once. -ENOMEM. */
int store_names_add(struct store_names *names, const struct store *s, struct db_batch *b, int table,
	const char *text);
/* NULL, or what is wrong: "group: is no group". A constant. */
const char *store_names_gone(const struct store_names *names, const struct db_batch *b);
