/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/pattern.h"
#include "common/codec.h"
#include "common/policy/url.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t pattern_www_len(const char *host, size_t len)
{
	return len > 4 && !memcmp(host, "www.", 4) ? 4 : 0;
}

/* Skips "http://" or "https://"; was there one? */
static bool skip_scheme(const char **text)
{
	static const char *const schemes[] = { "https://", "http://" };

	for (int i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		if (!strncasecmp(*text, schemes[i], n)) {
			*text += n;
			return true;
		}
	}
	return false;
}

/* Lower-cases the host part and cuts a default port or a final dot; returns the new host length. */
static size_t normalise_host(char *text, size_t host_len)
{
	size_t len = strlen(text), cut = 0;

	for (size_t i = 0; i < host_len; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	if (host_len > 4 && !memcmp(text + host_len - 4, ":443", 4))
		cut = 4;
	else if (host_len > 3 && !memcmp(text + host_len - 3, ":80", 3))
		cut = 3;
	else if (host_len > 1 && text[host_len - 1] == '.')
		cut = 1;
	memmove(text + host_len - cut, text + host_len, len - host_len + 1);
	return host_len - cut;
}

int pattern_parse(const char *text, int match, struct pattern *out)
{
	struct pattern p = { .match = match };
	bool had_scheme = skip_scheme(&text);
	const char *slash = strchr(text, '/');

	p.is_url = had_scheme || slash;
	/* Room for the slash that a bare http://host stands for. */
	p.text = calloc(1, strlen(text) + 2);
	if (!p.text)
		return -ENOMEM;
	strcpy(p.text, text);
	size_t host_len = normalise_host(p.text, slash ? (size_t)(slash - text) : strlen(text));
	if (match == MATCH_EXACT || match == MATCH_ENDSWITH) {
		size_t www = pattern_www_len(p.text, host_len);
		memmove(p.text, p.text + www, strlen(p.text) - www + 1);
	}
	if (p.is_url && match == MATCH_EXACT && !slash)
		strcat(p.text, "/");
	char *path = strchr(p.text, '/');
	if (path)
		path[url_decode_rest(path, strlen(path))] = '\0';
	p.len = strlen(p.text);
	if (!p.len) {
		free(p.text);
		return -EINVAL;
	}
	*out = p;
	return 0;
}

void pattern_fini(struct pattern *p)
{
	free(p->text);
	*p = (struct pattern){ 0 };
}

/* `*` stands for any run of characters. Each run of other characters is looked for behind the one
 * before, so that the time is linear. */
static bool wildcard_matches(const char *pat, size_t pat_len, const char *s, size_t len)
{
	const char *end = pat + pat_len, *star = memchr(pat, '*', pat_len);
	size_t head = star ? (size_t)(star - pat) : pat_len;

	if (len < head || memcmp(s, pat, head))
		return false;
	if (!star)
		return len == head;
	s += head;
	len -= head;
	for (pat = star + 1; (star = memchr(pat, '*', (size_t)(end - pat))); pat = star + 1) {
		size_t run = (size_t)(star - pat);
		const char *found = memmem(s, len, pat, run);
		if (!found)
			return false;
		len -= (size_t)(found - s) + run;
		s = found + run;
	}
	size_t tail = (size_t)(end - pat);
	return len >= tail && !memcmp(s + len - tail, pat, tail);
}

static bool ends_with(const struct pattern *p, const char *s, size_t len)
{
	if (len < p->len || memcmp(s + len - p->len, p->text, p->len))
		return false;
	return p->is_url || len == p->len || p->text[0] == '.' || s[len - p->len - 1] == '.';
}

bool pattern_matches(const struct pattern *p, const char *subject, size_t len)
{
	size_t www = 0;

	if (p->match == MATCH_EXACT || p->match == MATCH_ENDSWITH)
		www = pattern_www_len(subject, len);
	subject += www;
	len -= www;
	switch ((enum match)p->match) {
	case MATCH_EXACT:
		return len == p->len && !memcmp(subject, p->text, len);
	case MATCH_ENDSWITH:
		return ends_with(p, subject, len);
	case MATCH_STARTSWITH:
		return len >= p->len && !memcmp(subject, p->text, p->len);
	case MATCH_CONTAINS:
		return memmem(subject, len, p->text, p->len);
	case MATCH_WILDCARD:
		return wildcard_matches(p->text, p->len, subject, len);
	}
	return false;
}
