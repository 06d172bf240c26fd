/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"
#include "common/list_hits.h"
#include "common/timer.h"

/* Counters per device, which go to the bus every 5 s (event `count`). */
struct tally {
	struct bus *bus;
	struct hmap devices; /* id → struct tally_counts, since the last report */
	struct list_hits lists;
	struct timer tick;
};

struct tally_counts {
	uint64_t allowed, blocked, unknown, failed;
	uint64_t bytes; /* to the device */
};

int tally_open(struct tally *t, uv_loop_t *loop, struct bus *bus);
/* Sends what is counted so far. */
void tally_close(struct tally *t);
void tally_fini(struct tally *t);
/* One that was blocked by that list; counted by tally_add, too. */
void tally_add_list(struct tally *t, const char *device, const char *list);
/* Without memory nothing is counted. */
void tally_add(struct tally *t, const char *device, const struct tally_counts *more);
