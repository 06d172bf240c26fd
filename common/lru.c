/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/lru.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct list node; /* lru.order */
	struct lru *lru;
	void *value;
	time_t until;
	char key[];
};

static void on_free_entry(void *value)
{
	struct entry *e = value;

	list_remove(&e->node);
	e->lru->free_value(e->value);
	free(e);
}

void lru_init(struct lru *l, size_t max, void (*free_value)(void *value))
{
	hmap_init(&l->map, on_free_entry);
	list_init(&l->order);
	l->max = max;
	l->free_value = free_value;
}

void lru_fini(struct lru *l)
{
	hmap_fini(&l->map);
}

int lru_set(struct lru *l, const char *key, void *value, time_t until)
{
	struct entry *e = l->max ? calloc(1, sizeof(*e) + strlen(key) + 1) : NULL;

	if (!e) {
		l->free_value(value);
		return l->max ? -ENOMEM : 0;
	}
	list_init(&e->node);
	e->lru = l;
	e->value = value;
	e->until = until;
	memcpy(e->key, key, strlen(key) + 1);
	if (hmap_set_str(&l->map, key, e)) {
		on_free_entry(e);
		return -ENOMEM;
	}
	list_add(&l->order, &e->node);
	if (l->map.count > l->max)
		hmap_remove_str(&l->map, container_of(l->order.next, struct entry, node)->key);
	return 0;
}

void *lru_find(struct lru *l, const char *key, time_t now)
{
	struct entry *e = hmap_find_str(&l->map, key);

	if (!e)
		return NULL;
	if (e->until <= now) {
		hmap_remove_str(&l->map, key);
		return NULL;
	}
	list_remove(&e->node);
	list_add(&l->order, &e->node);
	return e->value;
}

size_t lru_count(const struct lru *l)
{
	return l->map.count;
}
