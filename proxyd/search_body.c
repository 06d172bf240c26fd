/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/search_body.h"
#include "proxyd/fold.h"
#include "proxyd/search_url.h"
#include "proxyd/string_escape.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

static int result(const struct buf *out, int count)
{
	return out->failed ? -ENOMEM : count;
}

/* ---- JSON ---- */

/* Behind the quote at p: up to the one that ends the string, or all. */
static size_t find_quote(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] != '"')
		n += p[n] == '\\' ? 2 : 1;
	return n < len ? n : len;
}

static void append_string(struct buf *out, const uint8_t *p, size_t len)
{
	uint8_t bytes[4];
	uint32_t cp;

	for (size_t i = 0; i < len;) {
		int n = p[i] == '\\' ? string_escape_parse(p + i, len - i, true, &cp) : 0;

		if (!n)
			buf_append_byte(out, p[i] ? p[i] : ' ');
		else if (cp && cp <= 0x10ffff)
			buf_append(out, bytes, (size_t)utf8_encode(cp, bytes));
		i += n ? (size_t)n : 1;
	}
}

/* Is the string of those bytes a key of something that is searched for? */
static bool is_wanted(const uint8_t *p, size_t len)
{
	struct buf key;
	bool is;

	buf_init(&key, 0);
	append_string(&key, p, len);
	is = key.len && search_is_word((const char *)key.data, key.len);
	buf_fini(&key);
	return is;
}

int search_json_texts(const uint8_t *p, size_t len, struct buf *out)
{
	bool wanted = false;
	int count = 0;

	for (size_t i = 0; i < len; i++) {
		size_t from = i + 1, n, next;

		if (p[i] == '{' || p[i] == '}')
			wanted = false;
		if (p[i] != '"')
			continue;
		n = find_quote(p + from, len - from);
		next = from + n + 1;
		while (next < len && (p[next] == ' ' || (p[next] >= '\t' && p[next] <= '\r')))
			next++;
		i = from + n;
		if (next < len && p[next] == ':') {
			wanted = is_wanted(p + from, n);
		} else if (wanted && n) {
			append_string(out, p + from, n);
			buf_append_byte(out, '\n');
			count++;
		}
	}
	return result(out, count);
}

/* ---- forms in parts ---- */

/* The value of a parameter in quotes, of a part's head. 0: it is not there. */
static const uint8_t *find_parameter(
	const uint8_t *head, size_t len, const char *name, size_t *value_len)
{
	size_t n = strlen(name);

	for (size_t i = 0; i + n < len; i++) {
		const uint8_t *value = head + i + n, *end;

		if (strncasecmp((const char *)head + i, name, n) != 0 ||
			(i && !strchr(" ;\t", head[i - 1])))
			continue;
		end = memchr(value, '"', (size_t)(head + len - value));
		*value_len = (size_t)((end ? end : head + len) - value);
		return value;
	}
	return NULL;
}

/* One part, from behind its boundary to the next one or the end. */
static int take_part(const uint8_t *p, size_t len, struct buf *out)
{
	const uint8_t *head_end = memmem(p, len, "\r\n\r\n", 4), *name;
	size_t head_len = head_end ? (size_t)(head_end - p) : 0, name_len, file_len, from;

	if (!head_end || find_parameter(p, head_len, "filename=\"", &file_len))
		return 0;
	name = find_parameter(p, head_len, "name=\"", &name_len);
	from = head_len + 4;
	if (!name || from >= len || !search_is_word((const char *)name, name_len))
		return 0;
	for (size_t i = from; i < len; i++)
		buf_append_byte(out, p[i] ? p[i] : ' ');
	buf_append_byte(out, '\n');
	return 1;
}

int search_multipart_texts(const uint8_t *p, size_t len, const char *boundary, struct buf *out)
{
	size_t n = strlen(boundary);
	const uint8_t *end = p + len, *at = n ? memmem(p, len, boundary, n) : NULL;
	int count = 0;

	while (at) {
		const uint8_t *part = at + n, *part_end;

		at = memmem(part, (size_t)(end - part), boundary, n);
		part_end = at ? at : end;
		/* The line's end and the dashes before a boundary are none of the value. */
		if (at && at - part >= 4 && !memcmp(at - 4, "\r\n--", 4))
			part_end -= 4;
		count += take_part(part, (size_t)(part_end - part), out);
	}
	return result(out, count);
}
