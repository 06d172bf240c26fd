/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What a Content-Type means to the filters. */
enum media_kind {
	MEDIA_OTHER,
	MEDIA_HTML,
	MEDIA_XHTML,
	MEDIA_JS,
	MEDIA_JSON,
	MEDIA_TEXT,
	MEDIA_IMAGE
};

/* The last element of a list of types, as which browsers read Content-Type, that is a type and says
 * something. NULL: there is none, and browsers look for themselves what the body is. */
const char *media_last(const char *value);
/* By type and subtype (RFC 9110 8.3; parameters are left out; without case). */
enum media_kind media_kind_of(const char *content_type);
/* Is it XML of any kind? */
bool media_is_xml(const char *content_type);
/* The value of a parameter, without its quotes, cut to len - 1 bytes. 0 or -ENOENT. */
int media_parameter(const char *content_type, const char *name, char *out, size_t len);
