/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/access_line.h"
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define CLOSED_BY_CLIENT 499
/* Of a path, the rest is cut off. */
#define PATH_MAX_LEN 4096

/* Printable ASCII but for quotes and backslashes stands for itself. */
static void put(struct buf *out, const char *text, bool with_blanks)
{
	const uint8_t *end = (const uint8_t *)text + strnlen(text, PATH_MAX_LEN);

	for (const uint8_t *c = (const uint8_t *)text; c < end; c++) {
		if (*c > 0x7e || *c < 0x20 || strchr("\"\\", *c) || (*c == ' ' && !with_blanks))
			buf_printf(out, "%%%02X", *c);
		else
			buf_append_byte(out, *c);
	}
}

static void put_host(struct buf *out, const char *host, uint16_t port)
{
	bool v6 = strchr(host, ':');

	buf_append_str(out, v6 ? "[" : "");
	put(out, *host ? host : "-", false);
	buf_printf(out, "%s:%u", v6 ? "]" : "", port);
}

static void put_time(struct buf *out, int64_t at_s)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t at = at_s;
	struct tm tm;

	gmtime_r(&at, &tm);
	buf_printf(out, " [%02d/%s/%04d:%02d:%02d:%02d +0000] ", tm.tm_mday, months[tm.tm_mon],
		tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

int access_line_format(const struct access_line *l, struct buf *out)
{
	char client[ADDR_STRLEN];

	addr_format(l->client, client);
	put_host(out, l->host, l->port);
	buf_printf(out, " %s - ", client);
	put(out, l->device, false);
	put_time(out, l->at_s);
	buf_append_byte(out, '"');
	put(out, l->method, false);
	buf_append_byte(out, ' ');
	if (l->path)
		put(out, l->path, false);
	else
		put_host(out, l->host, l->port);
	buf_printf(out, " HTTP/%s\" %d %" PRIu64 " \"-\" \"-\" %s \"",
		l->version ? l->version : "1.1", l->status ? l->status : CLOSED_BY_CLIENT, l->bytes,
		l->verdict);
	put(out, l->rule, true);
	buf_printf(out, "\" %" PRIu64 "\n", l->ms);
	return out->failed;
}
