/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include <stdbool.h>

/* Which search engines a name belongs to, and whether a device's answers there are restricted (SPEC
 * D5, P11). Hosts are lower-case text. */
enum safe_form {
	SAFE_GOOGLE,
	SAFE_BING,
	SAFE_DUCKDUCKGO,
	SAFE_YOUTUBE, /* strict */
	SAFE_YOUTUBE_MODERATE,
	SAFE_FORMS,
};

/* Whose name it is, never SAFE_YOUTUBE_MODERATE; SAFE_FORMS: nobody's. */
enum safe_form safe_search_engine(const char *host, size_t len);
/* The name whose addresses answer in that form. form: not SAFE_FORMS. */
const char *safe_search_target(enum safe_form form);
/* The form in which that name must answer; SAFE_FORMS: as it likes. A record that could not be read
 * restricts all, strictly. */
enum safe_form safe_search_find(const struct rec_safe_search *want, const char *host, size_t len);
