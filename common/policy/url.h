/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/*
 * path?query in the one spelling in which rules see it, so that none is got round, or reached, by
 * writing it otherwise. In the path escapes of visible ASCII are decoded (not those of % ? # *),
 * backslashes are slashes, and a run of slashes is one; in the query escapes of unreserved
 * characters are decoded. Escapes of what is not ASCII are decoded in both, and those that stay are
 * in upper case.
 * In place; returns the new length, which is never greater.
 */
size_t url_decode_rest(char *rest, size_t len);
/* What a server makes of "/a/../b": dot segments go (RFC 3986 5.2.4), with parameters ("..;x")
 * too. Up to the query; after url_decode_rest. In place; returns the new length. */
size_t url_resolve_dots(char *rest, size_t len);
