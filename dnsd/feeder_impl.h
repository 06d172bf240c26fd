/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/feeder.h"

/* Inside of the feeder: entries and waits are feeder.c's, what is sent feeder_batch.c's. */
struct fed {
	struct list node; /* of the queue or of a batch; idle: a ring of its own */
	enum feed_kind kind;
	struct addr address;
	uint32_t ttl_s;
	uint64_t life_ms, expires_ms; /* monotonic; 0 = not confirmed */
	bool removes, was_removing;   /* what is wanted; what was sent last */
	unsigned era, sent_era;	      /* of the device, likewise */
	char who[65];
};

/* feeder.c */
void fed_forget(struct feeder *f, struct fed *e);
/* The device is another since: fwd may know nothing of it. */
bool fed_is_lapsed(const struct feeder *f, const struct fed *e);
/* Unless it is on its way already. */
void fed_enqueue(struct feeder *f, struct fed *e);
void feeder_settle_waits(struct feeder *f);
/* feeder_batch.c: sends the queue. */
void feeder_on_flush(struct timer *t);
