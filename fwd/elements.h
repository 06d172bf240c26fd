/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/list.h"
#include "fwd/range.h"
#include "fwd/sets.h"

/*
 * Elements of the named sets: what each should be and what the kernel has, so that a transaction
 * carries only the difference. The cost of a change does not grow with what is unchanged.
 */
#define KEY_MAX	  32
#define VALUE_MAX 24

struct value {
	uint8_t kind; /* enum value_kind + 1; 0 = not there */
	uint8_t len;
	uint8_t bytes[VALUE_MAX]; /* as in the map, or as enum value_kind says */
};

struct elements {
	struct element_set {
		struct hmap map;   /* key and end flag → struct element */
		struct list dirty; /* those whose wanted and present value differ */
		size_t dirty_count;
	} sets[SETS];
};

void elements_init(struct elements *e);
void elements_fini(struct elements *e);

/* ---- wanted ---- */
/* key has the key_len of the set, data its data_len (NULL for a set). Not for fed and counted sets.
 * -ENOMEM: nothing changed. */
int elements_set(struct elements *e, enum set_id id, const void *key, const void *data);
void elements_unset(struct elements *e, enum set_id id, const void *key);
/* Is it wanted? data (may be NULL) gets the map's value. */
bool elements_get(const struct elements *e, enum set_id id, const void *key, void *data);
/* Does the kernel have it, as far as was read or written? */
bool elements_is_there(const struct elements *e, enum set_id id, const void *key);
/* Each wanted element; data as elements_set had it. */
void elements_each(const struct elements *e, enum set_id id,
	void (*on_element)(void *arg, const void *key, const void *data), void *arg);
/* Nothing of this set is wanted any more. */
void elements_unset_all(struct elements *e, enum set_id id);
/* An interval set is exactly these normalised ranges. */
int elements_set_ranges(struct elements *e, enum set_id id, const struct ranges *r);
size_t elements_count(const struct elements *e, enum set_id id);

/* ---- present ---- */
/* Reads what the kernel has; a missing table or set is empty. */
int elements_load(struct elements *e, struct nft *n);
/* The kernel has nothing of this set (any more). */
void elements_forget(struct elements *e, enum set_id id);
bool elements_are_dirty(const struct elements *e);
/* Gives what the kernel has with another value than wanted, or what is wanted no more (want NULL).
 */
void elements_each_lost(const struct elements *e, enum set_id id,
	void (*on_lost)(void *arg, const void *key, const void *have, const void *want), void *arg);
/* Writes the difference: what must go, then what must come. */
void elements_write(struct elements *e, struct nft_batch *b);
/* The batch was committed: the kernel has what was wanted. */
void elements_committed(struct elements *e);
