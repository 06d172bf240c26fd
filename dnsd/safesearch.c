/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/safesearch.h"

#include <string.h>

void safesearch_init(struct safesearch *s)
{
	static const char *const targets[SAFE_FORMS] = {
		[SAFE_GOOGLE] = "forcesafesearch.google.com",
		[SAFE_BING] = "strict.bing.com",
		[SAFE_DUCKDUCKGO] = "safe.duckduckgo.com",
		[SAFE_YOUTUBE] = "restrict.youtube.com",
		[SAFE_YOUTUBE_MODERATE] = "restrictmoderate.youtube.com",
	};

	for (int i = 0; i < SAFE_FORMS; i++)
		name_parse(targets[i], &s->targets[i]);
}

const struct name *safesearch_find(const struct safesearch *s, const struct rec_safe_search *want,
	const char *host, size_t len)
{
	enum safe_form form = safe_search_find(want, host, len);

	return form == SAFE_FORMS ? NULL : &s->targets[form];
}
