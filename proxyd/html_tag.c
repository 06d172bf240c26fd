/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/html_tag.h"
#include "proxyd/fold.h"
#include "proxyd/html_entity.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void html_tag_init(struct html_tag *t)
{
	*t = (struct html_tag){ .state = TAG_DONE };
	buf_init(&t->text, HTML_TAG_MAX);
}

void html_tag_fini(struct html_tag *t)
{
	buf_fini(&t->text);
}

void html_tag_start(struct html_tag *t, bool is_end)
{
	t->state = TAG_NAME;
	t->is_end = is_end;
	t->is_self_closing = t->is_kept = t->is_seen = false;
	t->name_len = 0;
	t->name[0] = '\0';
	buf_reset(&t->text);
}

enum { NAME_BYTE, BLANK, SLASH, GREATER, EQUALS };

static const uint8_t class_of[256] = { [' '] = BLANK,
	['\t'] = BLANK,
	['\n'] = BLANK,
	['\f'] = BLANK,
	['\r'] = BLANK,
	['/'] = SLASH,
	['>'] = GREATER,
	['='] = EQUALS };

static bool is_blank(uint8_t c)
{
	return class_of[c] == BLANK;
}

/* Those whose attributes are asked for. */
static void end_name(struct html_tag *t)
{
	t->name[t->name_len] = '\0';
	t->is_kept = !t->is_end && (html_tag_is(t, "script") || html_tag_is(t, "link") ||
					   html_tag_is(t, "base") || html_tag_is(t, "meta"));
}

/* The rest of the tag's name, and what ends it. */
static size_t take_name(struct html_tag *t, const uint8_t *p, size_t len)
{
	size_t n = 0, at = t->name_len;

	for (; n < len && (class_of[p[n]] == NAME_BYTE || p[n] == '='); n++) {
		if (at < HTML_NAME_LEN - 1)
			t->name[at++] = (char)(p[n] >= 'A' && p[n] <= 'Z' ? p[n] + 32 : p[n]);
	}
	t->name_len = at;
	if (n == len)
		return n;
	end_name(t);
	t->state = p[n] == '>' ? TAG_DONE : TAG_BEFORE_ATTRIBUTE;
	t->is_self_closing = p[n] == '/';
	return n + 1;
}

static bool is_name(const char *name, const char *text, size_t len)
{
	/* Most begin otherwise. */
	return (name[0] | 32) == text[0] && !strncasecmp(name, text, len);
}

static bool is_seen(const char *name, size_t len)
{
	switch (len) {
	case 3:
		return is_name(name, "alt", 3);
	case 5:
		return is_name(name, "label", 5) || is_name(name, "title", 5);
	case 6:
		return is_name(name, "srcdoc", 6);
	case 10:
		return is_name(name, "aria-label", 10);
	case 11:
		return is_name(name, "placeholder", 11);
	default:
		return false;
	}
}

static void start_value(struct html_tag *t)
{
	t->is_seen = !t->is_kept && !t->is_end && is_seen(t->attribute, t->attribute_len);
	t->is_page = t->is_seen && t->attribute_len == 6;
}

/* Between attributes, and within their names. */
static void take_attribute(struct html_tag *t, uint8_t c)
{
	bool is_named = t->state != TAG_BEFORE_ATTRIBUTE;

	if (c == '>') {
		t->state = TAG_DONE;
		return;
	}
	t->is_self_closing = c == '/';
	if (c == '/')
		t->state = TAG_BEFORE_ATTRIBUTE;
	else if (is_blank(c))
		t->state = is_named ? TAG_AFTER_ATTRIBUTE : TAG_BEFORE_ATTRIBUTE;
	else
		t->state = c == '=' && is_named ? TAG_BEFORE_VALUE : TAG_ATTRIBUTE;
	if (t->state == TAG_ATTRIBUTE) {
		t->attribute[0] = (char)c;
		t->attribute_len = 1;
	}
}

/* How many bytes, 0 or 1. */
static size_t take_value(struct html_tag *t, uint8_t c)
{
	bool begins = t->state == TAG_BEFORE_VALUE;

	if (begins && is_blank(c))
		return 1;
	t->is_self_closing = false;
	if (c == '>') {
		t->state = TAG_DONE;
		return 1;
	}
	if (begins && (c == '"' || c == '\'')) {
		t->quote = c;
		t->state = TAG_QUOTED;
		start_value(t);
		return 1;
	}
	t->state = is_blank(c) ? TAG_BEFORE_ATTRIBUTE : TAG_BARE;
	if (begins)
		start_value(t);
	return !t->is_seen;
}

static size_t take_quoted(struct html_tag *t, const uint8_t *p, size_t len)
{
	const uint8_t *end = memchr(p, t->quote, len);

	if (end)
		t->state = TAG_BEFORE_ATTRIBUTE;
	return end ? (size_t)(end - p) + 1 : len;
}

/* The rest of an attribute's name, what ends it, and what is mostly next: a value in quotes. */
static size_t take_attribute_bytes(struct html_tag *t, const uint8_t *p, size_t len)
{
	size_t n = 0, at = t->attribute_len;

	for (; n < len && class_of[p[n]] == NAME_BYTE; n++) {
		if (at < HTML_ATTRIBUTE_LEN)
			t->attribute[at++] = (char)p[n];
	}
	t->attribute_len = at;
	if (n)
		t->is_self_closing = false;
	if (n == len)
		return n;
	take_attribute(t, p[n++]);
	if (t->state != TAG_BEFORE_VALUE || n == len || (p[n] != '"' && p[n] != '\''))
		return n;
	take_value(t, p[n++]);
	return t->is_seen ? n : n + take_quoted(t, p + n, len - n);
}

static size_t take_some(struct html_tag *t, const uint8_t *p, size_t len)
{
	switch (t->state) {
	case TAG_NAME:
		return take_name(t, p, len);
	case TAG_ATTRIBUTE:
		return take_attribute_bytes(t, p, len);
	case TAG_BEFORE_ATTRIBUTE:
	case TAG_AFTER_ATTRIBUTE:
		take_attribute(t, *p);
		return t->state == TAG_ATTRIBUTE ? 1 + take_attribute_bytes(t, p + 1, len - 1) : 1;
	case TAG_BEFORE_VALUE:
	case TAG_BARE:
		return take_value(t, *p);
	case TAG_QUOTED:
		return take_quoted(t, p, len);
	case TAG_DONE:
		break;
	}
	return len;
}

size_t html_tag_take(struct html_tag *t, const uint8_t *data, size_t len)
{
	size_t at = 0, from = 0;

	while (at < len && t->state != TAG_DONE && !t->is_seen) {
		bool was_name = t->state == TAG_NAME;

		at += take_some(t, data + at, len - at);
		if (was_name && t->state != TAG_NAME)
			from = at - 1;
	}
	if (t->is_kept)
		buf_append(&t->text, data + from, at - from);
	return at;
}

ssize_t html_tag_value(const struct html_tag *t, const uint8_t *data, size_t len)
{
	const uint8_t *end;
	size_t n = 0;

	if (t->state == TAG_QUOTED) {
		end = memchr(data, t->quote, len);
		return end ? end - data : -1;
	}
	while (n < len && !is_blank(data[n]) && data[n] != '>')
		n++;
	return n < len ? (ssize_t)n : -1;
}

/* ---- attributes ---- */

static char *unescape(const uint8_t *p, size_t len)
{
	char *out = malloc(len * 4 + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < len;) {
		uint32_t cp;
		int got = p[i] == '&' ? html_entity_parse(p + i, len - i, true, &cp) : -1;

		if (got > 0 && cp && cp <= 0x10ffff)
			n += (size_t)utf8_encode(cp, (uint8_t *)out + n);
		else if (p[i])
			out[n++] = (char)p[i];
		i += got > 0 ? (size_t)got : 1;
	}
	out[n] = '\0';
	return out;
}

struct span {
	const uint8_t *p, *end;
};

static void skip(struct span *s, bool and_slashes)
{
	while (s->p < s->end && (is_blank(*s->p) || (and_slashes && *s->p == '/')))
		s->p++;
}

static struct span take_attribute_name(struct span *s)
{
	struct span name = { s->p, s->p };

	do {
		s->p++;
	} while (s->p < s->end && !is_blank(*s->p) && !strchr("/>=", *s->p));
	name.end = s->p;
	return name;
}

static struct span take_attribute_value(struct span *s)
{
	struct span value;
	uint8_t quote = s->p < s->end && (*s->p == '"' || *s->p == '\'') ? *s->p++ : 0;

	value.p = s->p;
	while (s->p < s->end && (quote ? *s->p != quote : !is_blank(*s->p) && *s->p != '>'))
		s->p++;
	value.end = s->p;
	s->p += quote && s->p < s->end;
	return value;
}

char *html_tag_get(const struct html_tag *t, const char *attribute)
{
	struct span s = { t->text.data, t->text.data + t->text.len };
	size_t len = strlen(attribute);

	for (skip(&s, true); s.p < s.end && *s.p != '>'; skip(&s, true)) {
		struct span name = take_attribute_name(&s), value = { s.p, s.p };

		skip(&s, false);
		if (s.p < s.end && *s.p == '=') {
			s.p++;
			skip(&s, false);
			value = take_attribute_value(&s);
		}
		if ((size_t)(name.end - name.p) == len &&
			!strncasecmp((const char *)name.p, attribute, len))
			return unescape(value.p, (size_t)(value.end - value.p));
	}
	return NULL;
}
