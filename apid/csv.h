/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stddef.h>

/*
 * Comma-separated values (RFC 4180): rows end with CRLF or LF, cells may be quoted, a quote within
 * is doubled. A byte order mark at the beginning is passed over. Pure.
 */
enum { CSV_CELLS_MAX = 64 };

struct csv_error {
	unsigned line; /* from 1 */
	const char *why;
};

/*
 * Calls on_row for each row with its cells (zero-terminated, valid during the call) and the line
 * that it begins on; empty lines are left out. 0; -EINVAL with err; -ENOMEM; what on_row returns
 * when that is not 0.
 */
int csv_parse(const char *text, size_t len,
	int (*on_row)(void *arg, unsigned line, char *const *cells, size_t n), void *arg,
	struct csv_error *err);

/*
 * Appends a cell, quoted where it must be. What spreadsheets would take for a formula (it begins
 * with = + - @, also a wide one, a tab or an end of a line) gets an apostrophe before it, which
 * csv_unguard takes off again.
 */
void csv_append(struct buf *out, const char *text);
const char *csv_unguard(const char *cell);
