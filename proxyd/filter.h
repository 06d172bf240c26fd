/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "proxyd/exchange_impl.h"
#include "proxyd/words_stage.h"

/*
 * What an answer's body goes through between the web server and the client, where the policy says
 * so: decoded, filtered, encoded again. Lives as long as the exchange sends its answer.
 */
struct filter;

/* The policy's word on the request; before it goes on. */
void filter_judge(struct exchange *x, const struct decision *d);
/* Would anything that comes from there be filtered? */
bool filter_is_on(const struct proxy *p, const char *host, const struct decision *d);
/* The request's head as it goes on. */
int filter_prepare(struct exchange *x, struct http_head *out);

enum filter_outcome {
	FILTER_PASS,   /* the answer goes as it is */
	FILTER_TAKES,  /* out and framing were changed; its body goes through x->filter, if there is
			* any
			*/
	FILTER_REPEAT, /* the request must be sent again: it will go without its Range */
	FILTER_REFUSE, /* it may not be passed on now */
};
/* The answer's head is there; out is what the client will get. -errno as well. */
int filter_begin(struct exchange *x, const struct http_head *answer, struct http_head *out,
	enum http_framing *framing);

/* The body. What becomes of it goes to x->req, whose end is told there, too; errors break it off. x
 * may be gone afterwards. */
void filter_write(struct filter *f, const void *data, size_t len);
void filter_end(struct filter *f);
/* The client takes more. */
void filter_resume(struct filter *f);
/* The body has come whole: what happens upstream matters no more. */
bool filter_has_ended(const struct filter *f);
/* NULL is allowed. */
void filter_close(struct filter *f);
