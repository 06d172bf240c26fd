/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"

/* How often lists have blocked something, per device, until it is sent with the counters of the
 * same daemon (record verdict_count with its field list). Bounded: what is too much is not counted.
 */
struct list_hits {
	struct hmap counts; /* "device\nlist" → uint64_t */
};

void list_hits_init(struct list_hits *h);
void list_hits_fini(struct list_hits *h);
void list_hits_add(struct list_hits *h, const char *device, const char *list);
/* Sends and forgets. */
void list_hits_send(struct list_hits *h, struct bus *bus, enum bus_event ev);
