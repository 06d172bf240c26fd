/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { URI_MAX = 4096, URI_SEGMENTS_MAX = 12, URI_PARAMS_MAX = 24 };

/* The target of a request, taken apart and percent-decoded (RFC 3986 3.3, 3.4). */
struct uri {
	const char *segments[URI_SEGMENTS_MAX]; /* of the path, without the slashes */
	size_t n_segments;
	struct uri_param {
		const char *name, *value; /* "" where there is no = */
	} params[URI_PARAMS_MAX];
	size_t n_params;
	char text[URI_MAX]; /* what the others point into */
};

/* target: origin form or absolute form. 0; -ENAMETOOLONG above a limit; -EINVAL: no path, a % that
 * is none, a NUL or bytes that are no UTF-8. Only the used part of out is written. */
int uri_parse(const char *target, struct uri *out);
/* The parameter's value, NULL when it is not there. */
const char *uri_param(const struct uri *u, const char *name);
