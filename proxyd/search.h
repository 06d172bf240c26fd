/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "proxyd/exchange_impl.h"

/* The search filter (SPEC P11): searches for terms of the topic `search_words` are blocked, answers
 * of search engines restricted. */

enum search_verdict {
	SEARCH_PASSES,
	SEARCH_BLOCKED,
	SEARCH_UNKNOWN,	 /* no terms are known yet: it may not pass */
	SEARCH_TOO_LONG, /* for anybody to judge */
};

/* What d allowed; the term it is blocked for is written to `term`, cut. An override that allows
 * goes before the terms, which act in the explicit proxy alone. */
enum search_verdict search_judge(
	const struct exchange *x, const struct decision *d, char *term, size_t term_len);
/* The same of a path of a search engine (search_is_host), whatever else decides. */
enum search_verdict search_judge_path(
	const struct proxy *p, const char *host, const char *path, char *term, size_t term_len);
/* The same of a form that is sent: makes x->form where there is one to be judged. 0 or -ENOMEM. */
int search_begin_form(struct exchange *x, const struct decision *d);
/* Of x->form, into which what came goes: the first *ready bytes of held may be sent on when it
 * passes, and are to be consumed. */
enum search_verdict search_judge_form(struct exchange *x, const void *data, size_t len,
	bool is_last, size_t *ready, char *term, size_t term_len);
/* The request as it goes on, in the restricted form that the device must have: x->path, and out. */
int search_restrict(struct exchange *x, struct http_head *out);
