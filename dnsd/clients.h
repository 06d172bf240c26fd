/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/list_hits.h"
#include "common/policy/directory.h"
#include "common/timer.h"

/* What dnsd keeps per device: questions under way and the counters that go to the bus every 5 s. It
 * hangs off the device's view and outlives it while a question holds a reference. */
#define CLIENT_UNDER_WAY_MAX 512

struct client {
	unsigned refs;
	unsigned under_way;		   /* questions put to upstream */
	unsigned held;			   /* answers that wait for fwd */
	uint32_t allowed, blocked, failed; /* since the last report */
	struct list dirty;		   /* in clients.dirty while a counter is not zero */
	char id[65];
};

struct clients {
	struct bus *bus;
	struct list dirty;
	struct list_hits lists;
	struct timer tick;
};

enum count_of { COUNT_ALLOWED, COUNT_BLOCKED, COUNT_FAILED };

int clients_open(struct clients *cs, uv_loop_t *loop, struct bus *bus);
/* Sends what is counted so far. The memory of cs must last until the loop's end. */
void clients_close(struct clients *cs);
/* The client of a device, made when it is new. NULL without memory. */
struct client *client_of(struct device_view *v);
struct client *client_ref(struct client *c);
void client_unref(struct client *c); /* NULL is allowed */
void client_count(struct clients *cs, struct client *c, enum count_of what);
