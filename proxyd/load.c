/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/load.h"
#include <stdlib.h>

struct load {
	struct addr device;
	unsigned connections, requests;
};

static void free_if_none(struct proxy *p, struct load *l)
{
	if (l->connections || l->requests)
		return;
	hmap_take(&p->loads, &l->device, sizeof(l->device));
	free(l);
}

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
	if (l->connections >= LOAD_MAX)
		return NULL;
	l->connections++;
	p->connections++;
	return l;
}

void load_release(struct proxy *p, struct load *l)
{
	l->connections--;
	p->connections--;
	free_if_none(p, l);
}

struct load *load_take_request(struct load *l)
{
	if (l->requests >= LOAD_REQUESTS_MAX)
		return NULL;
	l->requests++;
	return l;
}

void load_release_request(struct proxy *p, struct load *l)
{
	l->requests--;
	free_if_none(p, l);
}
