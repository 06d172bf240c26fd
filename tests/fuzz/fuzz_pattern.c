/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The matcher of patterns against the plainest one there is, and the widest pattern against all. */
#include "common/codec.h"
#include "common/policy/pattern.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 24, STARS_MAX = 5 };

static bool matches_naively(const char *p, size_t p_len, const char *s, size_t len)
{
	if (!p_len)
		return !len;
	if (*p == '*')
		return matches_naively(p + 1, p_len - 1, s, len) ||
		       (len && matches_naively(p, p_len, s + 1, len - 1));
	return len && *p == *s && matches_naively(p + 1, p_len - 1, s + 1, len - 1);
}

static bool has_suffix(const char *s, size_t len, const struct pattern *p)
{
	return len >= p->len && !memcmp(s + len - p->len, p->text, p->len);
}

/* www.com is no other name for com. */
static bool has_dot_in_host(const char *s, size_t len)
{
	for (size_t i = 0; i < len && s[i] != '/'; i++)
		if (s[i] == '.')
			return true;
	return false;
}

static bool is_expected(const struct pattern *p, const char *s, size_t len)
{
	bool ignores_www = p->match == MATCH_EXACT || p->match == MATCH_ENDSWITH;
	if (ignores_www && len > 4 && !memcmp(s, "www.", 4) && has_dot_in_host(s + 4, len - 4)) {
		s += 4;
		len -= 4;
	}
	switch ((enum match)p->match) {
	case MATCH_EXACT:
		return len == p->len && has_suffix(s, len, p);
	case MATCH_STARTSWITH:
		return len >= p->len && has_suffix(s, p->len, p);
	case MATCH_ENDSWITH:
		return has_suffix(s, len, p) && (p->is_url || len == p->len || *p->text == '.' ||
							s[len - p->len - 1] == '.');
	case MATCH_CONTAINS:
		for (size_t i = 0; i + p->len <= len; i++)
			if (!memcmp(s + i, p->text, p->len))
				return true;
		return false;
	case MATCH_WILDCARD:
		return matches_naively(p->text, p->len, s, len);
	}
	return false;
}

/* match, pattern, zero, subject */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;
	struct pattern p, widest;
	char subject[TEXT_MAX], text[TEXT_MAX + 1];
	if (!end || (size_t)(end - data) > TEXT_MAX || size - (size_t)(end + 1 - data) > TEXT_MAX)
		return 0;
	strcpy(text, (const char *)data + 1);
	size_t len = size - (size_t)(end + 1 - data);
	memcpy(subject, end + 1, len);
	int stars = 0;
	for (const char *c = text; *c; c++)
		stars += *c == '*';
	if (stars > STARS_MAX || pattern_parse(text, data[0] % 5, &p))
		return 0;
	bool found = pattern_matches(&p, subject, len);
	if (found != is_expected(&p, subject, len))
		abort();
	if (pattern_parse_widest(text, &widest) == 0) {
		if (found && !pattern_matches(&widest, subject, len))
			abort();
		pattern_fini(&widest);
	}
	pattern_fini(&p);
	return 0;
}
