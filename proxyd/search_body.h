/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"

/*
 * What is searched for by the body of a request that is no urlencoded form (SPEC P11): as
 * search_texts, of a body or of a piece of one, whatever it is cut at. Pure.
 */

/* Strings, also in arrays, of the keys that search_is_word knows. */
int search_json_texts(const uint8_t *p, size_t len, struct buf *out);
/* Fields of a form (RFC 7578) of such names; files are none. */
int search_multipart_texts(const uint8_t *p, size_t len, const char *boundary, struct buf *out);
