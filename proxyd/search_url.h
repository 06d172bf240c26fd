/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stdbool.h>

/* URLs of search engines (SPEC P11). Pure. Hosts are lower-case text; a path is one of a request,
 * with its query. */

/* A search engine's name, or one below it. */
bool search_is_host(const char *host);
/* Appends what is searched for: the values of the keys q, query, search, p, text (and what engines
 * call them otherwise), each followed by a newline. How many, or -ENOMEM. */
int search_texts(const char *path, struct buf *out);
/* The same of the path itself, as some engines have it: /search/TEXT, and DuckDuckGo's /TEXT. */
int search_path_texts(const char *host, const char *path, struct buf *out);
/* Is it one of those keys, or what JSON calls them? */
bool search_is_word(const char *key, size_t len);
/* Does that text of parameters begin with one of those keys? */
bool search_is_key(const char *parameters);
/* Appends the path with that key set once to that value, behind all others. 0 or -ENOMEM. */
int search_set(const char *path, const char *key, const char *value, struct buf *out);
