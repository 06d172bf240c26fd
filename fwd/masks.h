/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"

/*
 * Which lists act by address on a device is one of few combinations; each has a mask id (1..255),
 * that stands in the devices' marks and leads to a chain mask_N (F6). Past 254 combinations the
 * rarest share MASK_SHARED, which holds all of their lists: stricter, never laxer.
 */
enum { MASK_NONE = 0, MASK_SHARED = 255 };

struct list_bits {
	uint64_t by_address; /* refused on every port */
	uint64_t doh;	     /* refused on 443: DoH resolvers */
};

struct combination {
	struct list_bits bits;
	size_t devices;
	unsigned id;
	bool idle; /* without devices since before the last writing of the rules */
};

struct masks {
	struct hmap combinations; /* struct list_bits → struct combination */
	struct combination *by_id[MASK_SHARED];
	struct list_bits shared; /* of MASK_SHARED */
	size_t sharing;		 /* combinations under it */
	bool rank_due;
	/* Ids go round: a packet that is on its way while the rules change has the mark of before,
	 * and no other combination has that id then. */
	unsigned last;
	bool adopted[MASK_SHARED + 1];
	bool forget_adopted; /* with the next writing of the rules */
};

void masks_init(struct masks *m);
void masks_fini(struct masks *m);
/* One device more has these bits. *out is its combination, NULL for no bits. *is_new is set when
 * the rules must be written for it. -ENOMEM. */
int masks_take(struct masks *m, struct list_bits bits, struct combination **out, bool *is_new);
/* One device less; c may be NULL, and may be freed. An id that nobody has any more keeps its
 * meaning while the rules are written the next time: packets on their way have it. */
void masks_drop(struct masks *m, struct combination *c);
/* After a batch of the above. True when a combination has another id now: every device's mark is to
 * be made again, and the rules written. */
bool masks_settle(struct masks *m);
unsigned masks_id(const struct combination *c);
/* A device of a former run has this id in its mark: until it is known what that meant, every list
 * acts on it. */
void masks_adopt(struct masks *m, unsigned id);
/* The rules were written: what had no devices before that goes. */
void masks_written(struct masks *m);
bool masks_are_adopted(const struct masks *m);
void masks_forget_adopted(struct masks *m);
/* Every id in use. */
void masks_each(const struct masks *m,
	void (*on_mask)(void *arg, unsigned id, const struct list_bits *bits), void *arg);
