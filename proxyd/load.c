/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/load.h"
#include <stdlib.h>

struct load {
	struct addr device;
	unsigned count;
};

struct load *load_take(struct proxy *p, const struct addr *device)
{
	struct load *l = hmap_find(&p->loads, device, sizeof(*device));

	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l || hmap_set(&p->loads, device, sizeof(*device), l)) {
			free(l);
			return NULL;
		}
		l->device = *device;
	}
	if (l->count >= LOAD_MAX)
		return NULL;
	l->count++;
	return l;
}

void load_release(struct proxy *p, struct load *l)
{
	if (--l->count)
		return;
	hmap_take(&p->loads, &l->device, sizeof(l->device));
	free(l);
}
