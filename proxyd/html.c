/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/html.h"
#include <stdbool.h>
#include <string.h>

static void append_char(struct buf *b, char c)
{
	switch (c) {
	case '&':
		buf_append_str(b, "&amp;");
		break;
	case '<':
		buf_append_str(b, "&lt;");
		break;
	case '>':
		buf_append_str(b, "&gt;");
		break;
	case '"':
		buf_append_str(b, "&quot;");
		break;
	case '\'':
		buf_append_str(b, "&#39;");
		break;
	default:
		buf_append_byte(b, (uint8_t)c);
	}
}

static bool is_inside_character(char c)
{
	return ((uint8_t)c & 0xc0) == 0x80;
}

void html_append_part(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		append_char(b, text[i]);
}

void html_append(struct buf *b, const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);
	bool is_cut = len > max;

	if (is_cut)
		len = max;
	while (is_cut && len && is_inside_character(text[len]))
		len--;
	html_append_part(b, text, len);
	if (is_cut)
		buf_append_str(b, "…");
}

void html_append_query(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~",
			    *text))
			buf_append_byte(b, (uint8_t)*text);
		else
			buf_printf(b, "%%%02X", (uint8_t)*text);
	}
}
