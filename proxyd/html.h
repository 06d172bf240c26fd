/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"

/* Text as it stands in HTML, in elements and in attributes between quotes; what is longer than max
 * bytes is cut, at a character's end, and ends in "…". */
void html_append(struct buf *b, const char *text, size_t max);
/* len bytes of it. */
void html_append_part(struct buf *b, const char *text, size_t len);
/* Text as it stands in a URL's query: all but unreserved characters in % form (RFC 3986 2.3). */
void html_append_query(struct buf *b, const char *text);
