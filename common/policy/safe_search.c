/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/safe_search.h"
#include <string.h>

static const struct {
	const char *name;
	enum safe_form form;
} names[] = {
	{ "bing.com", SAFE_BING },
	{ "www.bing.com", SAFE_BING },
	{ "m.bing.com", SAFE_BING },
	{ "global.bing.com", SAFE_BING },
	{ "duckduckgo.com", SAFE_DUCKDUCKGO },
	{ "www.duckduckgo.com", SAFE_DUCKDUCKGO },
	{ "start.duckduckgo.com", SAFE_DUCKDUCKGO },
	{ "html.duckduckgo.com", SAFE_DUCKDUCKGO },
	{ "lite.duckduckgo.com", SAFE_DUCKDUCKGO },
	{ "youtube.com", SAFE_YOUTUBE },
	{ "www.youtube.com", SAFE_YOUTUBE },
	{ "m.youtube.com", SAFE_YOUTUBE },
	{ "youtubei.googleapis.com", SAFE_YOUTUBE },
	{ "youtube.googleapis.com", SAFE_YOUTUBE },
	{ "youtube-nocookie.com", SAFE_YOUTUBE },
	{ "www.youtube-nocookie.com", SAFE_YOUTUBE },
};

static bool is(const char *p, size_t len, const char *text)
{
	return len == strlen(text) && !memcmp(p, text, len);
}

static bool is_country(const char *p, size_t len)
{
	return len == 2 && p[0] >= 'a' && p[0] <= 'z' && p[1] >= 'a' && p[1] <= 'z';
}

/* google.TLD and www.google.TLD, where TLD is com, cat, a country's, or com or co below one. */
static bool is_google(const char *host, size_t len)
{
	static const char google[] = "google.";
	const size_t n = sizeof(google) - 1;

	if (len > 4 && !memcmp(host, "www.", 4)) {
		host += 4;
		len -= 4;
	}
	if (len <= n || memcmp(host, google, n))
		return false;
	const char *tld = host + n;
	size_t tld_len = len - n;
	const char *dot = memchr(tld, '.', tld_len);
	if (!dot)
		return is(tld, tld_len, "com") || is(tld, tld_len, "cat") ||
		       is_country(tld, tld_len);
	size_t first = (size_t)(dot - tld);
	return (is(tld, first, "com") || is(tld, first, "co")) &&
	       is_country(dot + 1, tld_len - first - 1);
}

static bool is_wanted(const struct rec_safe_search *want, enum safe_form form)
{
	if (want->head.closed)
		return true;
	switch (form) {
	case SAFE_GOOGLE:
		return want->google;
	case SAFE_BING:
		return want->bing;
	case SAFE_DUCKDUCKGO:
		return want->duckduckgo;
	case SAFE_YOUTUBE:
	case SAFE_YOUTUBE_MODERATE:
		return rec_has(want, safe_search, youtube) && want->youtube != SAFE_LEVEL_OFF;
	case SAFE_FORMS:
		break;
	}
	return false;
}

enum safe_form safe_search_engine(const char *host, size_t len)
{
	if (is_google(host, len))
		return SAFE_GOOGLE;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (is(host, len, names[i].name))
			return names[i].form;
	}
	return SAFE_FORMS;
}

enum safe_form safe_search_find(const struct rec_safe_search *want, const char *host, size_t len)
{
	enum safe_form form = safe_search_engine(host, len);

	if (form == SAFE_FORMS || !is_wanted(want, form))
		return SAFE_FORMS;
	if (form == SAFE_YOUTUBE && !want->head.closed && want->youtube == SAFE_LEVEL_MODERATE)
		return SAFE_YOUTUBE_MODERATE;
	return form;
}

const char *safe_search_target(enum safe_form form)
{
	static const char *const targets[SAFE_FORMS] = {
		[SAFE_GOOGLE] = "forcesafesearch.google.com",
		[SAFE_BING] = "strict.bing.com",
		[SAFE_DUCKDUCKGO] = "safe.duckduckgo.com",
		[SAFE_YOUTUBE] = "restrict.youtube.com",
		[SAFE_YOUTUBE_MODERATE] = "restrictmoderate.youtube.com",
	};

	return targets[form];
}
