/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"

/*
 * Steps of a decision as JSON, the same in every daemon's answer to `explain`: {step, decided,
 * verdict, reason, rule, rule_id, list, list_title, category, category_id, answer, generation};
 * what a step has not is left out.
 */

/* For policy_explain: arg is the array that it adds to. */
void explain_on_step(void *arg, const char *step, bool decided, const struct decision *d);
/* A step of the daemon's own. verdict, reason and rule may be NULL. */
void explain_add(cJSON *steps, const char *step, bool decided, const char *verdict,
	const char *reason, const char *rule);
