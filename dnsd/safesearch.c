/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/safesearch.h"

void safesearch_init(struct safesearch *s)
{
	for (int i = 0; i < SAFE_FORMS; i++)
		name_parse(safe_search_target((enum safe_form)i), &s->targets[i]);
}

const struct name *safesearch_find(const struct safesearch *s, const struct rec_safe_search *want,
	const char *host, size_t len)
{
	enum safe_form form = safe_search_find(want, host, len);

	return form == SAFE_FORMS ? NULL : &s->targets[form];
}
