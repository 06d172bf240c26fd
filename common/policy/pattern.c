/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/pattern.h"
#include "common/addr.h"
#include "common/codec.h"
#include "common/policy/url.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t pattern_www_len(const char *host, size_t len)
{
	const char *slash = memchr(host, '/', len);
	size_t end = slash ? (size_t)(slash - host) : len;

	/* www.com is a host of its own: without its www. it would stand for all of com. */
	return end > 4 && !memcmp(host, "www.", 4) && memchr(host + 4, '.', end - 4) ? 4 : 0;
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

static bool cut_end(const char *host, size_t *len, const char *end)
{
	size_t n = strlen(end);

	if (*len <= n || memcmp(host + *len - n, end, n))
		return false;
	*len -= n;
	return true;
}

/* Its end is no port where there are more colons: that is an address. */
static bool has_port(const char *host, size_t len)
{
	const char *colon = memchr(host, ':', len);

	return colon && (*host == '[' || !memchr(colon + 1, ':', len - (size_t)(colon + 1 - host)));
}

/* An address in the one spelling in which hosts are asked for; the length, 0: it is none. */
static size_t format_address(char *host, size_t len)
{
	char text[ADDR_STRLEN];
	struct addr a;

	if (len > 2 && *host == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= sizeof(text))
		return 0;
	memcpy(text, host, len);
	text[len] = '\0';
	if (addr_parse(text, &a))
		return 0;
	addr_format(&a, text);
	return strlen(text) <= len ? (memcpy(host, text, strlen(text)), strlen(text)) : 0;
}

/* The host part in lower case, without default port, final dot, brackets; returns its new length.
 */
static size_t normalise_host(char *text, size_t host_len)
{
	size_t len = host_len, rest = strlen(text) - host_len;

	for (size_t i = 0; i < len; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	if (has_port(text, len) && !cut_end(text, &len, ":443"))
		cut_end(text, &len, ":80");
	cut_end(text, &len, ".");
	size_t address = format_address(text, len);
	if (address && *text == '[')
		memmove(text, text + 1, address);
	len = address ? address : len;
	memmove(text + len, text + host_len, rest + 1);
	return len;
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

int pattern_parse_widest(const char *text, struct pattern *out)
{
	struct pattern p;
	int err = pattern_parse(text, MATCH_ENDSWITH, &p);
	if (err)
		return err;
	char *wide = malloc(p.len + 3);
	if (wide)
		p.len = (size_t)snprintf(wide, p.len + 3, "*%s*", p.text);
	free(p.text);
	if (!wide)
		return -ENOMEM;
	p.text = wide;
	p.match = MATCH_WILDCARD;
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

static bool host_ends_with(const char *host, size_t len, const char *text, size_t text_len)
{
	return len >= text_len && !memcmp(host + len - text_len, text, text_len);
}

/* Without a path in it, its last run may be one of the path. */
static bool wildcard_may_be_of(
	const struct pattern *p, size_t host_len, const char *host, size_t len)
{
	const char *star = memchr(p->text, '*', host_len);
	size_t head = star ? (size_t)(star - p->text) : host_len;

	if (host_len < p->len || !star)
		return wildcard_matches(p->text, host_len, host, len);
	return len >= head && !memcmp(host, p->text, head);
}

bool pattern_may_be_of(const struct pattern *p, const char *host, size_t len)
{
	const char *slash = memchr(p->text, '/', p->len);
	size_t host_len = slash ? (size_t)(slash - p->text) : p->len;
	size_t www = pattern_www_len(host, len), own = pattern_www_len(p->text, host_len);

	switch ((enum match)p->match) {
	case MATCH_EXACT:
		return len - www == host_len - own &&
		       !memcmp(host + www, p->text + own, host_len - own);
	case MATCH_STARTSWITH:
		if (slash)
			return len == host_len && !memcmp(host, p->text, len);
		return len >= host_len && !memcmp(host, p->text, host_len);
	case MATCH_ENDSWITH:
	case MATCH_CONTAINS:
		return !slash || host_ends_with(host, len, p->text, host_len);
	case MATCH_WILDCARD:
		return wildcard_may_be_of(p, host_len, host, len);
	}
	return true;
}
