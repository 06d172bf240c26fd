/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the lists hold, apart from any device. */
#include "common/policy/store.h"

uint64_t policy_lists_with(const struct policy *p, const char *name, size_t len)
{
	struct domainset_hit hit;

	if (!p->set_loaded)
		return 0;
	domainset_find(&p->set, name, len, p->lists_used, &hit);
	return hit.blocked;
}

const char *policy_list_id(const struct policy *p, unsigned bit)
{
	return bit < 64 ? p->lists[bit] : NULL;
}
