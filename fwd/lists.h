/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "common/hmap.h"
#include "common/policy/directory.h"
#include "fwd/masks.h"

/*
 * The topic `lists` as far as addresses go (F6): which bit is whose, which lists act by address,
 * which hold DoH resolvers (kind `doh`: their addresses are refused on 443, by_address or not).
 */
struct lists {
	struct hmap by_id;   /* struct list_facts */
	char owners[64][65]; /* bit → id, "" = nobody's */
	struct list_bits all;
	uint64_t default_off;
	bool known;
	/* A former run's devices had lists: until it is known which, every list acts on every
	 * device.
	 */
	bool adopted;
};

void lists_init(struct lists *l);
void lists_fini(struct lists *l);
/* One record; NULL = gone. -ENOMEM. */
int lists_apply(struct lists *l, const char *id, const struct rec_list *rec);
/* After a batch: true when a device's bits may differ now. freed gets the bits that were another
 * list's before, which no element may have any more. */
bool lists_settle(struct lists *l, uint64_t *freed);
/* Bits of the lists that act by address on the device now: as common/policy, a list that it has
 * schedules for is on in their windows and off between them. */
struct list_bits lists_bits(const struct lists *l, const struct device_view *v);
/* The list's bit, as a mask; 0 when its addresses are of no use. */
uint64_t lists_find_bit(const struct lists *l, const char *id);
