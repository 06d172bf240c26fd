/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/safe_search.h"
#include "dnsd/name.h"

/* Names of search engines become aliases of their restricted forms (SPEC D5). */
struct safesearch {
	struct name targets[SAFE_FORMS];
};
void safesearch_init(struct safesearch *s);
/* The name that stands for this one, NULL when it is nobody's who is restricted. host: lower-case
 * text. */
const struct name *safesearch_find(const struct safesearch *s, const struct rec_safe_search *want,
	const char *host, size_t len);
