/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The only file-scope state of the library: where every part of a program logs to. */
static const char *log_name = "culvert";
static enum log_level log_max = LOG_LEVEL_INFO;

void log_open(const char *name, enum log_level max)
{
	log_name = name;
	log_max = max;
}

void log_set_level(enum log_level max)
{
	log_max = max;
}

int log_enabled(enum log_level level)
{
	return level <= log_max;
}

/* Copies text with control bytes as \xNN; returns the length, always < size. */
static size_t escape(const char *text, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *text && n + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= 0x20 && c != 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}

static void log_write(enum log_level level, const char *fmt, va_list ap)
{
	char text[2048], line[4096];

	if (level > log_max)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	int head = snprintf(line, sizeof(line), "<%d>%s: ", level, log_name);
	size_t len = (size_t)head;
	len += escape(text, line + len, sizeof(line) - len - 1);
	line[len++] = '\n';
	/* One write per line, so that lines of several daemons in one file stay whole. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		log_write(level, fmt, ap);                                                         \
		va_end(ap);                                                                        \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void fatal(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_write(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(1);
}
