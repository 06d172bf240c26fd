/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "common/policy/policy.h"

/* The categories that a form of the portal offers (SPEC P8): review those that are public or more,
 * report those that are report, by sort_order and name; a list of our own where there are none. */
struct appeal_category {
	const char *id, *name;
	int64_t sort_order;
};

struct appeal_categories {
	struct appeal_category *v;
	size_t n;
};

/* The strings are the policy's: for the present call only. n is 0 for the mode appeal. -ENOMEM. */
int appeal_categories_init(
	struct appeal_categories *c, const struct policy *policy, enum appeal_mode mode);
void appeal_categories_fini(struct appeal_categories *c);
bool appeal_categories_has(const struct appeal_categories *c, const char *id);
