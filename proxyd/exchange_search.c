/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Searches of an exchange: what may not be searched for is answered (SPEC P11). */
#include "proxyd/exchange_impl.h"
#include "proxyd/judge.h"
#include "proxyd/own.h"
#include "proxyd/search.h"
#include "proxyd/upstream.h"

#define TERM_LEN 256

/* A search that may not be made is answered: true. */
static bool answer_search(
	struct exchange *x, enum search_verdict verdict, const struct decision *d, const char *term)
{
	if (verdict == SEARCH_PASSES)
		return false;
	access_refuse(&x->access, x->p, "search");
	switch (verdict) {
	case SEARCH_PASSES:
		break;
	case SEARCH_BLOCKED:
		own_send_blocked(x->p, x->req, &x->target, x->url, d, term);
		break;
	case SEARCH_UNKNOWN:
		exchange_fail(x, 503, "Not Ready", "Searches cannot be judged now.");
		break;
	case SEARCH_TOO_LONG:
		exchange_fail(x, 413, "Too Long", "What is searched for is too long.");
		break;
	}
	return true;
}

bool exchange_block_search(struct exchange *x, const struct decision *d)
{
	char term[TERM_LEN] = "";

	return answer_search(x, search_judge(x, d, term, sizeof(term)), d, term);
}

bool exchange_take_form(struct exchange *x, const void *data, size_t len, bool is_last)
{
	char term[TERM_LEN] = "";
	size_t ready = 0;
	enum search_verdict verdict =
		search_judge_form(x, data, len, is_last, &ready, term, sizeof(term));
	struct decision d;

	if (verdict == SEARCH_PASSES) {
		if (ready)
			upstream_write(x, x->form->held.data, ready);
		buf_consume(&x->form->held, ready);
		return false;
	}
	flow_remove(&x->flow);
	upstream_stop(x, 0);
	if (exchange_is_answered(x)) {
		http_response_abort(x->req);
		return true;
	}
	judge_decide(x, false, &d);
	return answer_search(x, verdict, &d, term);
}
