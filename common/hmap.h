/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Map from byte strings to pointers: open addressing, keyed hash (SipHash-1-3 under a random key
 * per process), so that hostile keys cannot make it slow. The map copies keys; the values belong to
 * the caller unless free_value is set.
 */
struct hmap_slot;
struct hmap {
	struct hmap_slot *slots;
	size_t cap; /* power of two or 0 */
	size_t count;
	size_t used; /* count and tombstones */
	void (*free_value)(void *value);
};

void hmap_init(struct hmap *m, void (*free_value)(void *value));
void hmap_fini(struct hmap *m);
void hmap_clear(struct hmap *m);
/* Adds or replaces (an old value is freed with free_value). -ENOMEM. value must not be NULL. */
int hmap_set(struct hmap *m, const void *key, size_t len, void *value);
void *hmap_find(const struct hmap *m, const void *key, size_t len);
/* Takes the entry out and returns its value, unfreed; NULL when there is none. */
void *hmap_take(struct hmap *m, const void *key, size_t len);
/* Takes the entry out and frees its value. Was there one? */
bool hmap_remove(struct hmap *m, const void *key, size_t len);

/* String keys, without the final zero. */
int hmap_set_str(struct hmap *m, const char *key, void *value);
void *hmap_find_str(const struct hmap *m, const char *key);
void *hmap_take_str(struct hmap *m, const char *key);
bool hmap_remove_str(struct hmap *m, const char *key);

/*
 * Iteration in no order; removing the current entry is allowed, adding is not.
 *   hmap_foreach (&m, it) { it.key (zero-terminated copy), it.len, it.value }
 */
struct hmap_iter {
	size_t next;
	const char *key;
	size_t len;
	void *value;
};
bool hmap_next(const struct hmap *m, struct hmap_iter *it);
#define hmap_foreach(m, it) for (struct hmap_iter it = { 0 }; hmap_next((m), &(it));)
