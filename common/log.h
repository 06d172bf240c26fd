/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Structured log on stderr. A line reads `<6>fwd: rule added id=17 src=10.9.0.4 ttl_s=60`: the
 * journal's priority, the program, constant text, facts as key=value. Control characters in the
 * finished line are written as \xNN, so that hostile text cannot forge a line. Never log keys,
 * tokens, passwords; queried names only at debug.
 */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Names the program and sets the most talkative level that is written. name is kept, not copied. */
void log_open(const char *name, enum log_level max);
void log_set_level(enum log_level max);
/* Is a line of this level written? For facts that are dear to compute. */
int log_enabled(enum log_level level);

#define LOG_PRINTF __attribute__((format(printf, 1, 2)))
void log_error(const char *fmt, ...) LOG_PRINTF;
void log_warning(const char *fmt, ...) LOG_PRINTF;
void log_notice(const char *fmt, ...) LOG_PRINTF;
void log_info(const char *fmt, ...) LOG_PRINTF;
void log_debug(const char *fmt, ...) LOG_PRINTF;
/* Logs at error level and exits with status 1. Only at start-up. */
void fatal(const char *fmt, ...) LOG_PRINTF __attribute__((noreturn));
