/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/url.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The escaped byte at text, -1 when there is none. */
static int escaped_byte(const char *text, size_t len)
{
	if (len < 3 || *text != '%' || hex_value(text[1]) < 0 || hex_value(text[2]) < 0)
		return -1;
	return hex_value(text[1]) * 16 + hex_value(text[2]);
}

/* A % behind which one or two digits are missing. */
static bool is_begun(const char *text, size_t len)
{
	return len == 1 || (len == 2 && hex_value(text[1]) >= 0);
}

static bool is_decoded(int c, bool in_query)
{
	if (c >= 0x80)
		return true;
	if (in_query)
		return c > 0 && c < 0x7f && (isalnum(c) || strchr("-._~", c));
	return c > ' ' && c < 0x7f && !strchr("%?#*", c);
}

size_t url_decode_rest(char *rest, size_t len)
{
	bool in_query = false;
	size_t out = 0, loose = len; /* where a % stands that begins no escape */

	for (size_t i = 0; i < len; i++) {
		int c = escaped_byte(rest + i, len - i);

		/* What is decoded may not make an escape of a % that was none. */
		bool completes = c >= 0 && hex_value((char)c) >= 0 && loose < out &&
				 is_begun(rest + loose, out - loose);
		if (c >= 0 && (completes || !is_decoded(c, in_query))) {
			rest[out++] = '%';
			rest[out++] = (char)toupper((unsigned char)rest[++i]);
			rest[out++] = (char)toupper((unsigned char)rest[++i]);
			continue;
		}
		if (c >= 0)
			i += 2;
		else
			c = (unsigned char)rest[i];
		if (!in_query && c == '\\')
			c = '/';
		if (!in_query && c == '/' && out && rest[out - 1] == '/')
			continue;
		/* An escaped question mark is not decoded: this one begins the query. */
		in_query |= c == '?';
		if (c == '%')
			loose = out;
		rest[out++] = (char)c;
	}
	return out;
}

/* Number of leading dots of a segment that consists of one or two, and maybe of parameters. */
static size_t dots_of(const char *segment, size_t len)
{
	size_t dots = 0;

	while (dots < len && segment[dots] == '.')
		dots++;
	return dots <= 2 && (dots == len || segment[dots] == ';') ? dots : 0;
}

size_t url_resolve_dots(char *rest, size_t len)
{
	const char *query = memchr(rest, '?', len);
	size_t end = query ? (size_t)(query - rest) : len, out = 0;

	if (!len || *rest != '/')
		return len;
	for (size_t i = 0; i < end;) {
		const char *next = memchr(rest + i + 1, '/', end - i - 1);
		size_t stop = next ? (size_t)(next - rest) : end;
		size_t dots = dots_of(rest + i + 1, stop - i - 1);

		if (dots == 2) {
			while (out && rest[--out] != '/')
				;
		}
		/* A dot segment at the end leaves its slash. */
		if (dots && stop == end)
			rest[out++] = '/';
		if (!dots) {
			memmove(rest + out, rest + i, stop - i);
			out += stop - i;
		}
		i = stop;
	}
	memmove(rest + out, rest + end, len - end);
	return out + len - end;
}
