/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/list.h"
#include "common/policy/directory.h"
#include "common/timer.h"

/* Private to common/policy/directory*.c. */

/* A device as the directory keeps it: the record of the bus and what it resolves to. */
struct directory_entry {
	struct device_view view; /* first: a view is its entry */
	struct rec_device rec;
	bool announced;	     /* on_device was called */
	int64_t next_change; /* when time alone may make it another, epoch ms; 0 = never */
};

/* Topics in the order of the generations array. */
enum directory_source {
	SOURCE_DEVICES,
	SOURCE_GROUPS,
	SOURCE_SETTINGS,
	SOURCE_USAGE,
	SOURCE_PREFS_LOCAL,
	SOURCE_PREFS_DIRECTUS,
	SOURCES
};

struct directory {
	struct bus *bus;
	struct directory_ops ops;
	void *arg;
	struct hmap by_id;		     /* id → entry */
	struct hmap by_addr;		     /* struct addr → entry */
	struct hmap groups, usage, prefs[2]; /* id → record */
	struct hmap dirty_groups;	     /* id → anything: their devices are to be resolved */
	struct settings settings;
	struct time_zones zones;
	struct list retired;
	struct timer expiry; /* when time itself changes a device: expiry, schedules */
	int64_t next_expiry; /* epoch ms, 0 = none */
	/* Both clocks at the start, and the wall's distance from the steady one when last looked.
	 */
	int64_t started_wall, clock_offset;
	uint64_t started_mono;
	bool all_dirty, settings_dirty, known;
	bool reindexing;    /* every address is claimed anew */
	bool has_conflicts; /* an address is claimed twice: any change may free it for another */
	bool index_lost;    /* there was no memory for an address: all are claimed anew soon */
	uint64_t gens[SOURCES];
	struct hmap_iter next; /* of directory_next */
};

/* directory_feed.c: what the bus brings. */
/* 0 or -errno. */
int directory_subscribe(struct directory *d);
/* Devices, and what they are resolved from. */
void directory_records_fini(struct directory *d);

/* directory_index.c: whose an address is. It belongs to one device (W8): of several that claim it,
 * the one with the smallest id, so that every daemon says the same whatever it read first. */
/* Claims the addresses of its view. */
void directory_index(struct directory *d, struct directory_entry *e);
void directory_unindex(struct directory *d, struct directory_entry *e);
/* Bit per address of the view: it is indexed as its own. */
unsigned directory_owned(const struct directory *d, const struct directory_entry *e);

/* directory_resolve.c: what a device is, by its records and the time. */
/* Resolves one device anew and tells the daemon when that made a difference. */
void directory_resolve(struct directory *d, struct directory_entry *e);
void directory_resolve_all(struct directory *d);
/* Only the devices of the groups that changed. */
void directory_resolve_groups(struct directory *d);
/* Starts the timer of what time changes next. Also without anything to come: the clock may be set.
 */
void directory_watch_clock(struct directory *d);
void directory_on_expiry(struct timer *t);
