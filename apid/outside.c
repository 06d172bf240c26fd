/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/outside.h"
#include "syncd/list_url.h"

size_t outside_allowed(const struct outside *o, const struct addr *v, size_t n, struct addr *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (list_url_is_allowed(&v[i], o->allow_private))
			out[kept++] = v[i];
	}
	return kept;
}
