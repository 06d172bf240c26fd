/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A bounded map whose values end at a time; when it is full the one that was not used for the
 * longest time leaves. Keys are strings.
 */
#pragma once

#include <stddef.h>
#include <time.h>

#include "common/hmap.h"
#include "common/list.h"

struct lru {
	struct hmap map;
	struct list order; /* least recently used first */
	size_t max;
	void (*free_value)(void *value);
};

/* `max` 0: keeps nothing. `free_value` is called for every value that leaves. */
void lru_init(struct lru *l, size_t max, void (*free_value)(void *value));
void lru_fini(struct lru *l);
/* Adds or replaces; takes `value` over, also on error. 0 or -ENOMEM. */
int lru_set(struct lru *l, const char *key, void *value, time_t until);
/* The value, which stays the map's, when its end is after `now`; NULL. It becomes the last used. */
void *lru_find(struct lru *l, const char *key, time_t now);
size_t lru_count(const struct lru *l);
