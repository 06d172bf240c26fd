/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/html_srcdoc.h"
#include "proxyd/html_entity.h"
#include <string.h>

static bool is_letter(uint32_t cp)
{
	return cp < 0x80 && (cp | 32) >= 'a' && (cp | 32) <= 'z';
}

static void start_tag(struct html_srcdoc *s, bool is_end)
{
	s->state = SRCDOC_TAG;
	s->is_end = is_end;
	s->has_name = false;
	s->name_len = 0;
}

static void add_name(struct html_srcdoc *s, uint32_t cp)
{
	if (!is_letter(cp))
		s->has_name = true;
	else if (s->name_len < SRCDOC_NAME_LEN)
		s->name[s->name_len++] = (char)(cp | 32);
}

static bool is_raw(const struct html_srcdoc *s)
{
	return !s->is_end && ((s->name_len == 6 && !memcmp(s->name, "script", 6)) ||
				     (s->name_len == 5 && !memcmp(s->name, "style", 5)));
}

static void take_tag(struct html_srcdoc *s, uint32_t cp)
{
	if (!s->has_name)
		add_name(s, cp);
	if (cp == '>') {
		s->state = is_raw(s) ? SRCDOC_RAW : SRCDOC_TEXT;
	} else if (s->has_name && (cp == '"' || cp == '\'')) {
		s->quote = cp;
		s->state = SRCDOC_QUOTED;
	}
}

/* What is behind a <; false: it was none of a tag. */
static bool take_less(struct html_srcdoc *s, uint32_t cp)
{
	if (is_letter(cp) || cp == '/') {
		start_tag(s, cp == '/');
		if (cp != '/')
			add_name(s, cp);
		return true;
	}
	s->state = cp == '!' || cp == '?' ? SRCDOC_BOGUS : SRCDOC_TEXT;
	return s->state == SRCDOC_BOGUS;
}

/* A character outside of text. */
static void take_markup(struct html_srcdoc *s, uint32_t cp)
{
	switch (s->state) {
	case SRCDOC_TAG:
		take_tag(s, cp);
		break;
	case SRCDOC_QUOTED:
		if (cp == s->quote)
			s->state = SRCDOC_TAG;
		break;
	case SRCDOC_BOGUS:
		if (cp == '>')
			s->state = SRCDOC_TEXT;
		break;
	case SRCDOC_RAW:
		if (cp == '<')
			s->state = SRCDOC_RAW_LESS;
		break;
	case SRCDOC_RAW_LESS:
		if (cp == '/')
			start_tag(s, true);
		else if (cp != '<')
			s->state = SRCDOC_RAW;
		break;
	case SRCDOC_TEXT:
	case SRCDOC_LESS:
		break;
	}
}

static void take_char(
	struct html_srcdoc *s, struct masker *m, const uint8_t *p, size_t len, uint32_t cp)
{
	if (s->state == SRCDOC_LESS && take_less(s, cp)) {
		masker_pass(m, p, len);
	} else if (s->state == SRCDOC_TEXT && cp == '<') {
		masker_end(m);
		masker_pass(m, p, len);
		s->state = SRCDOC_LESS;
	} else if (s->state == SRCDOC_TEXT) {
		masker_unit(m, p, len, cp);
	} else {
		masker_pass(m, p, len);
		take_markup(s, cp);
	}
}

/* Text up to a reference or a tag. */
static size_t take_run(struct masker *m, const uint8_t *p, size_t len, bool is_final)
{
	size_t n = 0;

	while (n < len && p[n] != '&' && p[n] != '<')
		n++;
	if (n == len && !is_final)
		n = utf8_whole(p, n);
	masker_text(m, p, n);
	return n;
}

size_t html_srcdoc_scan(
	struct html_srcdoc *s, struct masker *m, const uint8_t *p, size_t len, bool is_final)
{
	size_t at = 0;

	while (at < len) {
		uint32_t cp = p[at];
		int n = 1;

		if (s->state == SRCDOC_TEXT && cp != '&' && cp != '<') {
			size_t run = take_run(m, p + at, len - at, is_final);

			at += run;
			if (!run)
				break;
			continue;
		}
		if (cp == '&')
			n = html_entity_parse(p + at, len - at, is_final, &cp);
		if (!n)
			break;
		take_char(s, m, p + at, n > 0 ? (size_t)n : 1, n > 0 ? cp : '&');
		at += n > 0 ? (size_t)n : 1;
	}
	return at;
}
