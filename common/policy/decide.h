/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/store.h"

/* Private to common/policy/decide*.c: one question being decided. */

/* What the website rules that match say, and URL prefixes of lists. */
enum site_step { SITE_SECURITY, SITE_FORCED, SITE_BLOCKED, SITE_ALLOWED, SITE_STEPS };

struct sites {
	bool found; /* looked up for this question */
	struct webset_rule
		rule[SITE_STEPS]; /* the most specific of each step; pattern NULL = none */
	const struct rec_category *category[SITE_STEPS];
	bool hide_images, show_images, mask_words, show_words;
	bool no_decrypt;
	uint64_t lists;		   /* bits of lists with a URL prefix that matches */
	const char *list_rule[64]; /* and the longest of them */
};

struct judgement {
	struct policy *p;
	struct device_view *dev;
	const struct policy_query *q;
	struct rule_subject subject;
	int64_t now_ms;
	struct decision *out;
	struct sites sites;
};

/* Always true, so that a step can end with `return decide(…)`. */
bool decide(struct judgement *j, enum verdict verdict, enum reason reason, const char *rule,
	uint64_t generation);
uint64_t decide_generation(const struct judgement *j, enum bus_topic topic);

/* The scopes of rules that are for the device, the most important first. */
enum { LEVELS = 4 };
void decide_levels(const struct judgement *j, struct rule_scope out[static LEVELS]);

/* A step says whether it has decided. */
bool judge_lists(struct judgement *j);

bool judge_security(struct judgement *j);
bool judge_overrides(struct judgement *j);
bool judge_forced(struct judgement *j);
bool judge_blocked_category(struct judgement *j);
bool judge_allowed_category(struct judgement *j);
bool judge_needed(struct judgement *j);
/* Looks the rules up, once a question. */
void find_sites(struct judgement *j);
/* Images and words of a page that is shown: site or override, else the device. */
void decide_media(struct judgement *j);
