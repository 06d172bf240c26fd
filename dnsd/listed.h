/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "dnsd/feeder.h"
#include "dnsd/forward.h"

/*
 * Addresses of listed names for lists that block by address (SPEC F6): a queried name that such a
 * list holds is resolved in the background, once per TTL and not too often, and its addresses are
 * fed to fwd. An address that names outside the list share is left out and reported, unless the
 * list is `strict_address`.
 */
enum {
	LISTED_NAMES_MAX = 65536,   /* remembered until they may be resolved again */
	LISTED_SHARED_MAX = 131072, /* addresses of unlisted names */
	LISTED_PER_S = 50,	    /* names resolved */
	LISTED_UNDER_WAY_MAX = 256,
	LISTED_TTL_MIN_S = 60,
	LISTED_SHARED_S = 86400,
};

struct listed_counters {
	uint64_t resolved, skipped_shared, removed_shared, too_many;
};

struct listed {
	struct policy *policy; /* set by the owner when there is one */
	struct forwarder *forwarder;
	struct feeder *feeder;
	struct cache *cache;
	struct bus *bus;
	struct hmap lists;  /* id → struct of what `lists` says */
	struct hmap due;    /* name → when it may be resolved again */
	struct hmap shared; /* address → lists that it is also outside of */
	struct list under_way;
	size_t under_way_count;
	unsigned budget; /* names left in this second */
	struct timer tick;
	struct hmap_iter due_cursor, shared_cursor;
	struct listed_counters counters;
	bool closing;
};

/* The memory of l must last until the loop's end. */
int listed_open(struct listed *l, uv_loop_t *loop, struct bus *bus, struct feeder *feeder,
	struct cache *cache);
void listed_close(struct listed *l);
void listed_fini(struct listed *l);
/* A name was blocked for somebody by these lists (bits). */
void listed_on_block(struct listed *l, const struct name *name, uint64_t lists);
/* A new answer to a name (in lower case), whoever asked. */
void listed_on_answer(struct listed *l, const struct name *name, const uint8_t *stored, size_t len);
