/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/directus_client.h"

/*
 * Reads a collection whole, page by page by its key, so that neither the default of 100 rows nor
 * QUERY_LIMIT_MAX nor rows that come and go meanwhile lose one (S6). A page that is refused as too
 * large is asked for by half; the end is a page without rows.
 */
#define DIRECTUS_NAME_MAX 128 /* of a collection or field */
#define DIRECTUS_ROWS_MAX 20000000

struct directus_read {
	struct directus_client *client;
	char collection[DIRECTUS_NAME_MAX];
	unsigned page;	  /* rows asked for at a time */
	char filter[160]; /* part of the query, "&filter…"; "" = all rows */
	char *key;	  /* the last row's, as text; NULL before the first */
	int64_t number;
	uint64_t rows;
	uint64_t rows_max; /* more are refused; 0 = DIRECTUS_ROWS_MAX */
	/* Row by row; not 0 ends the reading with that, as DIRECTUS_FAILED; -ENOSPC: there is too
	 * much of it, as DIRECTUS_REFUSED. */
	int (*on_row)(void *arg, const cJSON *row);
	/* Once: OK and all rows were told, or what went wrong. REFUSED, too, where the rows are
	 * none that could be read: it is the collection's own fault. */
	void (*on_end)(void *arg, const struct directus_answer *a);
	void *arg;
};

/* client, collection, page, callbacks and arg are set. Nothing else may be done with the client's
 * read until on_end. -ENOMEM. */
int directus_read_start(struct directus_read *r);
/* What is kept of a reading that will not end (the client is closed). */
void directus_read_fini(struct directus_read *r);
/* COLLECTION:FIELD; without a field "domain". -EINVAL. */
int directus_parse_source(const char *text, char collection[static DIRECTUS_NAME_MAX],
	char field[static DIRECTUS_NAME_MAX]);
/* Is it a name that may stand in a target as it is? Letters, digits, _ and -. */
bool directus_is_name(const char *name);
