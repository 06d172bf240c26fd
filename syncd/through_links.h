/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"
#include "syncd/mapping.h"

/*
 * What of apid's policy has been written to Directus: which row stands for which record, and in
 * what form it was written last, so that a change is told from what is known. Kept in a file;
 * without it what is there is taken as known, and nothing is written but what changes from then on.
 */
struct through_link {
	enum mapping_part part;
	char id[132];	/* of apid's record; DEVICE/LIST in PART_LIST_PREFS, DEVICE in PART_SWITCHES
			 */
	char key[256];	/* of Directus' row, "" = none */
	uint64_t hash;	/* of the row as it was written last; 0 = absent */
	uint64_t round; /* in which the key came to be known; not kept */
};

struct through_links {
	char *path;
	struct hmap by_id, by_key; /* "part/id" → struct through_link; "part/key" → the same */
	bool known[PARTS];	   /* what was there at first has been taken as known */
	bool is_changed;
};

/* Reads the file; what cannot be read counts as none. -ENOMEM. */
int through_links_open(struct through_links *l, const char *state_dir);
void through_links_fini(struct through_links *l);
/* Writes the file if something has changed. 0 or -errno. */
int through_links_save(struct through_links *l);
/* NULL when there is none. */
struct through_link *through_links_find(
	const struct through_links *l, enum mapping_part part, const char *id);
struct through_link *through_links_find_key(
	const struct through_links *l, enum mapping_part part, const char *key);
/* Makes or changes it. key NULL: as it is. NULL without memory. */
struct through_link *through_links_set(struct through_links *l, enum mapping_part part,
	const char *id, const char *key, uint64_t hash);
void through_links_remove(struct through_links *l, struct through_link *link);
