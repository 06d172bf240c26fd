/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_impl.h"
#include <string.h>

/* False: no unit is made of it. */
static bool mark_hinted(struct directus *d, const char *collection)
{
	bool found = false;

	for (size_t i = 0; i < d->count; i++) {
		struct directus_unit *u = d->units[i];

		for (unsigned p = 0; p < u->part_count; p++) {
			if (!strcmp(u->collections[p], collection))
				u->hinted = found = true;
		}
	}
	return found;
}

void directus_hint(struct directus *d, const char *collection)
{
	if (!collection) {
		directus_sync(d, false);
		return;
	}
	if (mark_hinted(d, collection))
		d->hinted = true;
	else
		d->hinted_all = true;
	/* After a failure the next attempt has its time. */
	if (!d->busy && !d->closing && !d->failures)
		directus_round_plan(d, clock_mono_ms());
}
