/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/list_hits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HITS_MAX = 20000 };

void list_hits_init(struct list_hits *h)
{
	hmap_init(&h->counts, free);
}

void list_hits_fini(struct list_hits *h)
{
	hmap_fini(&h->counts);
}

void list_hits_add(struct list_hits *h, const char *device, const char *list)
{
	char key[330];
	uint64_t *n;

	snprintf(key, sizeof(key), "%s\n%s", device, list);
	n = hmap_find_str(&h->counts, key);
	if (!n && h->counts.count < HITS_MAX) {
		n = calloc(1, sizeof(*n));
		if (n && hmap_set_str(&h->counts, key, n)) {
			free(n);
			n = NULL;
		}
	}
	if (n)
		++*n;
}

static void send_one(struct bus *bus, enum bus_event ev, const char *key, uint64_t n)
{
	size_t len = strcspn(key, "\n");
	cJSON *o = cJSON_CreateObject();
	char device[65];

	snprintf(device, sizeof(device), "%.*s", (int)len, key);
	if (!o)
		return;
	cJSON_AddStringToObject(o, "device", device);
	cJSON_AddStringToObject(o, "list", key + len + 1);
	cJSON_AddNumberToObject(o, "blocked", (double)n);
	bus_event_send(bus, ev, o);
}

void list_hits_send(struct list_hits *h, struct bus *bus, enum bus_event ev)
{
	hmap_foreach (&h->counts, it)
		send_one(bus, ev, it.key, *(const uint64_t *)it.value);
	hmap_clear(&h->counts);
}
