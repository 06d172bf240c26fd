/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/form.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int hex_digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

size_t form_decode_byte(const char *text, size_t len, uint8_t *out)
{
	bool is_escape = *text == '%' && len >= 3;
	int high = is_escape ? hex_digit(text[1]) : -1, low = is_escape ? hex_digit(text[2]) : -1;

	if (high >= 0 && low >= 0) {
		*out = (uint8_t)(high * 16 + low);
		return 3;
	}
	*out = *text == '+' ? ' ' : (uint8_t)*text;
	return 1;
}

static bool is_name(const char *text, size_t len, const char *name)
{
	size_t i = 0;
	uint8_t byte;

	for (; i < len && *name; name++) {
		i += form_decode_byte(text + i, len - i, &byte);
		if (byte != (uint8_t)*name)
			return false;
	}
	return i == len && !*name;
}

static int decode_value(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;
	uint8_t byte;

	for (size_t i = 0; i < len;) {
		i += form_decode_byte(text + i, len - i, &byte);
		if (n + 1 >= size)
			return -EMSGSIZE;
		out[n++] = (char)byte;
		if (byte == 0x7f || (byte < ' ' && byte != '\t' && byte != '\r' && byte != '\n'))
			return -EINVAL;
	}
	out[n] = '\0';
	return 0;
}

/* Bytes of the character at text (RFC 3629), 0 = none. */
static size_t character_len(const uint8_t *text)
{
	static const struct {
		uint8_t first, last; /* of the leading byte */
		uint8_t low, high;   /* of the second */
		uint8_t len;
	} forms[] = { { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 } };

	if (*text < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (*text < forms[i].first || *text > forms[i].last)
			continue;
		if (text[1] < forms[i].low || text[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++) {
			if ((text[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].len;
	}
	return 0;
}

static bool is_utf8(const char *text)
{
	while (*text) {
		size_t len = character_len((const uint8_t *)text);
		if (!len)
			return false;
		text += len;
	}
	return true;
}

int form_get(const char *text, size_t len, const char *name, char *out, size_t size)
{
	const char *end = text + len;
	int err = -ENOENT;

	*out = '\0';
	while (text < end) {
		const char *amp = memchr(text, '&', (size_t)(end - text));
		const char *stop = amp ? amp : end;
		const char *equals = memchr(text, '=', (size_t)(stop - text));
		const char *name_end = equals ? equals : stop;
		if (is_name(text, (size_t)(name_end - text), name)) {
			if (err != -ENOENT)
				return -EINVAL;
			const char *value = equals ? equals + 1 : stop;
			err = decode_value(value, (size_t)(stop - value), out, size);
			if (err)
				return err;
		}
		text = stop + 1;
	}
	return !err && !is_utf8(out) ? -EINVAL : err;
}
