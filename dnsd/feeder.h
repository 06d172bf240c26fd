/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/bus.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/timer.h"

/*
 * What fwd is told of addresses (SPEC D9, F6, F10): request `feed`, in batches, each confirmed once
 * it is in the kernel. Everything confirmed is remembered as long as the kernel keeps it: it is
 * not sent again before half its life is over, and sent once more when fwd starts anew; what is not
 * confirmed then is sent with the next answer that has it.
 */
enum {
	FEEDER_MAX = 262144, /* entries remembered */
	/* Those of one strict device: what it has asked for in an hour. fwd's table has room for
	 * many more, so that one who resolves addresses by the thousand shuts nobody else out. */
	FEEDER_PER_DEVICE = 16384,
	FEEDER_WAIT_MS = 50, /* an answer waits no longer for its confirmation (F10) */
	FEEDER_WAITS_MAX = 4096,
	FEEDER_ADDRESSES_MAX = 256, /* of one answer */
};

struct feeder_counters {
	uint64_t sent, confirmed, refused, failed; /* entries */
	uint64_t held, late;			   /* answers */
};

struct feeder {
	struct bus *bus;
	struct hmap fed;    /* kind, address, device or list → struct fed */
	struct hmap shares; /* device → what it has of them */
	struct list queue;  /* of them, to be sent */
	struct list waits;  /* struct feeder_wait, the oldest first */
	size_t wait_count;
	struct timer flush, tick;
	struct hmap_iter cursor; /* of the sweep */
	struct hmap starts;	 /* instance of fwd → struct when it started */
	struct feeder_counters counters;
	bool closing;
};

/* One address of a feed. */
struct feeder_entry {
	enum feed_kind kind;
	struct addr address;
	const char *who; /* device of FEED_KIND_STRICT, list of FEED_KIND_LISTED, else "" */
	uint32_t ttl_s;	 /* 0: as long as fwd keeps its kind */
};

/* Waits for the confirmation of some addresses; embedded in its owner. */
struct feeder_wait {
	struct list node;
	uint64_t due_ms;
	enum feed_kind kind;
	const char *who; /* valid as long as it waits */
	const struct addr *addresses;
	size_t count;
	void (*on_done)(struct feeder_wait *w, bool confirmed);
};

/* The memory of f must last until the loop's end. */
int feeder_open(struct feeder *f, uv_loop_t *loop, struct bus *bus);
/* Waits end with on_done(false). */
void feeder_close(struct feeder *f);
void feeder_fini(struct feeder *f);
/* Makes sure that fwd knows it. True when it does already. */
bool feeder_add(struct feeder *f, const struct feeder_entry *e);
/* It is to go, if it was fed. Was it? */
bool feeder_remove(struct feeder *f, const struct feeder_entry *e);
/* The device has changed, or is gone: with its addresses fwd has forgotten what it was told of it,
 * and who comes under the same id was told nothing. */
void feeder_forget_device(struct feeder *f, const char *id);
/* on_done comes later, within FEEDER_WAIT_MS. -EBUSY when too many wait. */
int feeder_wait(struct feeder *f, struct feeder_wait *w);
