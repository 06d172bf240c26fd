/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/json.h"
#include <stdint.h>

/*
 * Which rows a collection had, in little room: their number, and the lowest ROWS_SAMPLE of their
 * keys' hashes. Of two such samples it is told how many rows of the first the second lacks: exactly
 * where both have at most ROWS_SAMPLE rows, else about (of 1024 that are compared: 20 % ± 1.3 %).
 */
#define ROWS_SAMPLE 1024

struct directus_rows {
	uint64_t count;
	uint64_t seen;	  /* also those that could not be used; the caller's count */
	unsigned columns; /* bit f: field f of the mapping's table had a column in some row */
	uint64_t *hashes; /* ascending and at most ROWS_SAMPLE after directus_rows_finish */
	size_t n;
	uint64_t limit; /* those above are not among the lowest */
};

void directus_rows_init(struct directus_rows *r);
void directus_rows_fini(struct directus_rows *r);
/* A row by its key "id", a number or a text. -ENOMEM. */
int directus_rows_add(struct directus_rows *r, const cJSON *row);
/* That row is no longer one of them; after directus_rows_finish. */
void directus_rows_remove(struct directus_rows *r, const char *key);
/* No more come. */
void directus_rows_finish(struct directus_rows *r);
/* How many rows of before are not in after; both finished. */
uint64_t directus_rows_removed(
	const struct directus_rows *before, const struct directus_rows *after);

/* As an object, NULL without memory; and back: -EINVAL. */
cJSON *directus_rows_format(const struct directus_rows *r);
int directus_rows_parse(const cJSON *json, struct directus_rows *out);
