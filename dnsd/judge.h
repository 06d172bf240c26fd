/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "dnsd/block.h"
#include "dnsd/canary.h"

/* What a device may be told of a name, before and after the answer is known (SPEC D2 to D4, D7). */
enum judged {
	JUDGED_SILENCE, /* no policy yet: no answer at all (D8) */
	JUDGED_BLOCK,	/* answer with mode, EDE and text */
	JUDGED_PASS,
};

struct judge {
	struct policy *policy;
	const struct canary *canary;
	enum block_mode block_mode;
	bool has_ipv6;
};

struct judgement {
	enum judged judged;
	enum block_mode mode;
	int ede;
	char text[128];
	bool final; /* passed by an explicit allow: names it leads to are not judged */
};

void judge_question(const struct judge *j, struct device_view *v, const struct question *q,
	int64_t now_ms, struct judgement *out);
/* Names that a stored answer leads to. Only called where the question itself passed. */
void judge_targets(const struct judge *j, struct device_view *v, const uint8_t *stored, size_t len,
	int64_t now_ms, struct judgement *out);
