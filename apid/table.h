/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/json.h"

/*
 * One kind of records in memory, as the API shows them: found by id, listed in the order of ids. So
 * reading needs no database.
 */
struct table_row {
	char *text; /* JSON */
	size_t len;
	char etag[19]; /* "…" with its quotes */
	/* Members of the record that lists are filtered by; NULL = none. */
	char *group, *user, *device, *name;
	bool is_off; /* has a member active that is false */
	char id[];
};

struct table {
	struct hmap by_id;
	struct table_row **sorted;
	size_t n, cap;
};

void table_init(struct table *t);
void table_fini(struct table *t);
/* Adds or replaces. -ENOMEM, -EINVAL: text is no JSON object. */
int table_set(struct table *t, const char *id, const char *text);
/* Many at once: add each new id once, then table_sort. */
int table_add(struct table *t, const char *id, const char *text);
void table_sort(struct table *t);
/* Was there one? */
bool table_remove(struct table *t, const char *id);
const struct table_row *table_find(const struct table *t, const char *id);
/* Index of the first row whose id is greater than after; "" = the first. */
size_t table_after(const struct table *t, const char *after);
/* "\"0123456789abcdef\"" of a text. */
void table_etag(const char *text, size_t len, char out[static 19]);
