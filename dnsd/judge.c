/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/judge.h"

#include "dnsd/answer.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TARGETS_MAX 64

__attribute__((format(printf, 3, 4))) static void block(
	struct judgement *out, enum block_mode mode, const char *fmt, ...)
{
	va_list args;

	out->judged = JUDGED_BLOCK;
	out->mode = mode;
	out->ede = EDE_BLOCKED;
	va_start(args, fmt);
	vsnprintf(out->text, sizeof(out->text), fmt, args);
	va_end(args);
}

static void block_by_decision(
	const struct judge *j, const struct decision *d, const char *hop, struct judgement *out)
{
	const char *via = hop ? ", reached by " : "";

	if (d->list[0])
		block(out, j->block_mode, "list %s%s%s", d->list_title, via, hop ? hop : "");
	else
		block(out, j->block_mode, "%s%s%s", reason_text(d->reason), via, hop ? hop : "");
}

static void block_by_canary(const struct judge *j, enum canary_kind kind, struct judgement *out)
{
	switch (kind) {
	case CANARY_NONE:
		return;
	case CANARY_NXDOMAIN:
		block(out, BLOCK_NXDOMAIN, "the network filters DNS");
		return;
	case CANARY_NODATA:
		block(out, BLOCK_NODATA, "the network filters DNS");
		return;
	case CANARY_BLOCK:
		block(out, j->block_mode, "encrypted resolver");
		return;
	}
}

/* hop: the name stands in an answer, not in the question. */
static void judge_name(const struct judge *j, struct device_view *v, const struct name *name,
	bool is_hop, int64_t now_ms, struct judgement *out)
{
	char text[NAME_TEXT_MAX];
	struct policy_query query = { .path = POLICY_PATH_DNS, .host = text };
	struct decision decision;

	if (!name_text(name, text, &query.host_len)) {
		block(out, j->block_mode, "a name that cannot be judged");
		return;
	}
	policy_decide(j->policy, v, &query, now_ms, &decision);
	bool passes = decision.verdict == VERDICT_ALLOW || decision.verdict == VERDICT_PASS;
	if (!passes && decision.reason == REASON_NO_POLICY) {
		out->judged = JUDGED_SILENCE;
		return;
	}
	if (!passes && decision.reason == REASON_SWITCH) {
		block_by_decision(j, &decision, NULL, out);
		return;
	}
	out->final = passes &&
		     (decision.reason == REASON_CONNECTIVITY || decision.reason == REASON_DNS_RULE);
	if (decision.reason != REASON_CONNECTIVITY || !passes) {
		block_by_canary(j, canary_find(j->canary, text, query.host_len), out);
		if (out->judged == JUDGED_BLOCK)
			return;
	}
	if (!passes)
		block_by_decision(j, &decision, is_hop ? text : NULL, out);
}

void judge_question(const struct judge *j, struct device_view *v, const struct question *q,
	int64_t now_ms, struct judgement *out)
{
	*out = (struct judgement){ .judged = JUDGED_PASS, .ede = EDE_NONE };
	judge_name(j, v, &q->name, false, now_ms, out);
	if (out->judged == JUDGED_PASS && q->type == TYPE_AAAA && !j->has_ipv6) {
		block(out, BLOCK_NODATA, "the gateway has no IPv6");
		out->ede = EDE_NONE;
	}
}

void judge_targets(const struct judge *j, struct device_view *v, const uint8_t *stored, size_t len,
	int64_t now_ms, struct judgement *out)
{
	struct name target;
	size_t pos = 0;

	*out = (struct judgement){ .judged = JUDGED_PASS, .ede = EDE_NONE };
	for (unsigned n = 0; answer_next_target(stored, len, &pos, &target); n++) {
		if (n == TARGETS_MAX) {
			block(out, j->block_mode, "too many aliases");
			return;
		}
		judge_name(j, v, &target, true, now_ms, out);
		if (out->judged != JUDGED_PASS)
			return;
	}
}
