/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"
#include "apid/resources.h"
#include "apid/store_uses.h"

/*
 * Many records of one resource at once: read, checked each as if it came alone, and written in one
 * transaction, all or none. A record without an id gets one that follows from what it says, so that
 * the same file twice is one change.
 */
enum { BULK_ROWS_MAX = 10000, BULK_ERRORS_MAX = 1000, BULK_BYTES_MAX = 8 << 20 };

struct bulk_row {
	unsigned number; /* of the record from 1, or the line of the file */
	char id[131];
	cJSON *record;
	char *text;
};

struct bulk {
	struct api *a;
	const struct resource *r;
	struct bulk_row *rows;
	size_t n, cap;
	char **gone; /* ids that are to be removed */
	size_t gone_count;
	struct store_uses *uses; /* of what is to go, then of rows that are new */
	cJSON *errors;		 /* [{"row","id","pointer","reason"}], at most BULK_ERRORS_MAX */
	size_t error_count;
	size_t added, changed, unchanged;
	char **columns; /* of a CSV file, from its first row */
	size_t column_count;
	bool is_dry;
	void (*on_done)(void *arg, int status);
	void *arg;
};

/* b is zeroed but for a and r. */
void bulk_init(struct bulk *b);
void bulk_fini(struct bulk *b);
/* One more fault of the row with that number; id may be NULL. */
void bulk_note_error(
	struct bulk *b, unsigned number, const char *id, const char *pointer, const char *reason);
/* What is wrong goes to errors. -ENOMEM. */
int bulk_read_records(struct bulk *b, const cJSON *records);
int bulk_read_csv(struct bulk *b, const char *text);
/* Checks all; with replace, what the table has and the rows have not is to go. -ENOMEM. */
int bulk_check(struct bulk *b, bool replace);
/* Writes all; there must be no errors. b lasts until on_done, which is called once; -EALREADY:
 * nothing was written, for is_dry or what has come to errors. */
void bulk_write(struct bulk *b, bool is_dry, const struct store_actor *by,
	void (*on_done)(void *arg, int status), void *arg);
