/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/*
 * The access log's file. Lines are gathered in memory and written every second, or when there are
 * many, by libuv's work pool: the loop never waits for the disk. What cannot be written (disk full,
 * directory missing) is kept and tried again each second, up to a bound; lines beyond it are
 * dropped and counted. The file is only ever appended to.
 */
struct access_log;

/* path empty: there is no log, until access_log_reopen names one. A file that cannot be opened is
 * said in the log, and tried again. NULL without memory. */
struct access_log *access_log_open(uv_loop_t *loop, const char *path);
/* Writes what is there, then frees itself. */
void access_log_close(struct access_log *l);
/* What is gathered goes to the old file as far as it can, all else to one newly opened. */
void access_log_reopen(struct access_log *l, const char *path);
bool access_log_is_on(const struct access_log *l);
/* A whole line, or several. Copied. */
void access_log_add(struct access_log *l, const void *line, size_t len);
/* Adds access_log_lines, access_log_dropped and access_log_error (text, where there is one). */
void access_log_report(const struct access_log *l, cJSON *status);
