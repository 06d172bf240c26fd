/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"
#include "apid/table.h"

/*
 * Pages of a table: {"items":[…],"next":"…"}; next is the cursor of the following page, null on the
 * last. Parameters: cursor, limit (1 to 500, 50), q (in id and name, ASCII letters without case),
 * group, user, device, active.
 */
enum { PAGE_LIMIT = 50, PAGE_LIMIT_MAX = 500 };
extern const struct route_param page_params[];

/* Answers with the rows that fit the query and that may_see (NULL = all) lets through. */
void page_answer(struct call *c, const struct table *t,
	bool (*may_see)(struct call *c, const struct table_row *row));

/* Answers with what a query gave that asked for one row more than limit: make makes an item of a
 * row, the column next_column of the page's last row is the cursor. rows NULL: failed, with status.
 */
void page_answer_rows(struct call *c, int status, const struct db_rows *rows, int64_t limit,
	cJSON *(*make)(const struct db_rows *rows, size_t i), size_t next_column);

/* A page made by hand: items is taken over; next NULL = the last one. */
void page_answer_items(struct call *c, cJSON *items, const char *next);
