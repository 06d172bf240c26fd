/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/string_escape.h"
#include "proxyd/fold.h"
#include <string.h>

#define BAD (UINT32_MAX - 1)

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* So many digits at p; -1: others, or fewer. */
static int32_t parse_hex(const uint8_t *p, size_t len, size_t digits)
{
	int32_t n = 0;

	if (len < digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		if (hex_of(p[i]) < 0)
			return -1;
		n = n * 16 + hex_of(p[i]);
	}
	return n;
}

/* \u{…} */
static int parse_braced(const uint8_t *p, size_t len, bool is_final, uint32_t *cp)
{
	uint32_t n = 0;
	size_t i = 3;

	for (; i < len && i < 12 && hex_of(p[i]) >= 0; i++)
		n = n * 16 + (uint32_t)hex_of(p[i]);
	if (i == len && i < 12 && !is_final)
		return 0;
	*cp = BAD;
	if (i == 3 || i >= len || p[i] != '}')
		return 2;
	if (n <= 0x10ffff && (n < 0xd800 || n > 0xdfff))
		*cp = n;
	return (int)i + 1;
}

static int parse_unicode(const uint8_t *p, size_t len, bool is_final, uint32_t *cp)
{
	int32_t n, low;

	if (len > 2 && p[2] == '{')
		return parse_braced(p, len, is_final, cp);
	if (len < 6 && !is_final)
		return 0;
	*cp = BAD;
	n = parse_hex(p + 2, len - 2, 4);
	if (n < 0)
		return 2;
	if (n < 0xd800 || n > 0xdfff) {
		*cp = (uint32_t)n;
		return 6;
	}
	if (n > 0xdbff)
		return 6;
	if (len < 12 && !is_final && !memcmp(p + 6, "\\u", len - 6 < 2 ? len - 6 : 2))
		return 0;
	if (len < 12 || p[6] != '\\' || p[7] != 'u')
		return 6;
	low = parse_hex(p + 8, 4, 4);
	if (low < 0xdc00 || low > 0xdfff)
		return 6;
	*cp = 0x10000 + ((uint32_t)(n & 0x3ff) << 10) + (uint32_t)(low & 0x3ff);
	return 12;
}

static int parse_octal(const uint8_t *p, size_t len, bool is_final, uint32_t *cp)
{
	size_t max = p[1] < '4' ? 4 : 3, i = 1;
	uint32_t n = 0;

	for (; i < len && i < max && p[i] >= '0' && p[i] < '8'; i++)
		n = n * 8 + (uint32_t)(p[i] - '0');
	if (i == len && i < max && !is_final)
		return 0;
	*cp = n;
	return (int)i;
}

int string_escape_parse(const uint8_t *p, size_t len, bool is_final, uint32_t *cp)
{
	static const char from[] = "btnvfr", to[] = "\b\t\n\v\f\r";
	const char *at;
	int n;

	*cp = BAD;
	if (len < 2)
		return is_final ? 1 : 0;
	if (p[1] == 'u')
		return parse_unicode(p, len, is_final, cp);
	if (p[1] == 'x' && len < 4 && !is_final)
		return 0;
	if (p[1] == 'x') {
		int32_t byte = parse_hex(p + 2, len - 2, 2);

		*cp = byte < 0 ? BAD : (uint32_t)byte;
		return byte < 0 ? 2 : 4;
	}
	if (p[1] >= '0' && p[1] < '8')
		return parse_octal(p, len, is_final, cp);
	if (p[1] == '\r' && len < 3 && !is_final)
		return 0;
	if (p[1] == '\n' || p[1] == '\r') {
		*cp = FOLD_IGNORED;
		return p[1] == '\r' && len > 2 && p[2] == '\n' ? 3 : 2;
	}
	at = memchr(from, p[1], sizeof(from) - 1);
	n = at ? 1 : utf8_decode(p + 1, len - 1, cp);
	if (at)
		*cp = (uint8_t)to[at - from];
	if (!n && !is_final)
		return 0;
	if (n <= 0)
		*cp = BAD;
	return n > 0 ? n + 1 : 2;
}
