/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A website pattern (SPEC P5, Patterns). With a slash or a scheme its subject is host/path?query,
 * else the host. Hosts are lower-case ASCII without default port; exact and endswith ignore a
 * leading "www." on both sides; a host's endswith matches at a label boundary; `*` crosses "/".
 * Paths are as url_decode_rest leaves them.
 */
struct pattern {
	int match; /* enum match */
	bool is_url;
	char *text; /* normalised */
	size_t len;
};

/* -EINVAL for an empty pattern or one whose host part cannot be a host. */
int pattern_parse(const char *text, int match, struct pattern *out);
/* For a match that nobody knows: matches whatever any match of the text would. */
int pattern_parse_widest(const char *text, struct pattern *out);
void pattern_fini(struct pattern *p);
/* subject: the host for a host pattern, host + path for a URL pattern, in the same normal form. */
bool pattern_matches(const struct pattern *p, const char *subject, size_t len);
/* May a URL pattern match some URL of that host (lower-case)? True too often rather than too
 * seldom; what a search without anchor (contains, endswith) could find in the middle of a path does
 * not count when it names a host of its own. */
bool pattern_may_be_of(const struct pattern *p, const char *host, size_t len);
/* Length of a leading "www." that exact and endswith skip: 4, or 0 also where no dot would be left
 * in the host. host may be followed by a path. */
size_t pattern_www_len(const char *host, size_t len);
