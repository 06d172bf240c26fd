/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "proxyd/exchange_impl.h"

/* The search filter (SPEC P11): searches for terms of the topic `search_words` are blocked, answers
 * of search engines restricted. */

enum search_verdict {
	SEARCH_PASSES,
	SEARCH_BLOCKED,
	SEARCH_UNKNOWN, /* no terms are known yet: it may not pass */
};

/* What d allowed; the term it is blocked for is written to `term`, cut. An override that allows
 * goes before the terms, which act in the explicit proxy alone. */
enum search_verdict search_judge(
	const struct exchange *x, const struct decision *d, char *term, size_t term_len);
/* The request as it goes on, in the restricted form that the device must have: x->path, and out. */
int search_restrict(struct exchange *x, struct http_head *out);
