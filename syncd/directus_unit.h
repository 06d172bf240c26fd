/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/directus_read.h"
#include "syncd/directus_rows.h"
#include "syncd/mapping.h"

/*
 * What is read and published as one: a topic, or a list. device_prefs is made of two collections,
 * sni_block of as many as are configured.
 * The stamp of a collection (how many rows, the highest key, the last change) tells cheaply whether
 * it has changed; it is taken before the rows are read, so that what changes meanwhile is seen next
 * time. Where the database keeps whole seconds, as MariaDB does, two changes in one second have the
 * same stamp: such a collection is read once more when the second is over.
 */
#define UNIT_PARTS 8

/* What a reading lacks of the one before. */
struct directus_lack {
	char why[128]; /* for people */
	unsigned part;
	bool is_column; /* a column is missing, not rows alone */
};

struct directus_unit {
	char id[65]; /* of the list, or the topic's name */
	bool is_list;
	enum bus_topic topic;
	enum mapping_part parts[UNIT_PARTS];
	char collections[UNIT_PARTS][DIRECTUS_NAME_MAX]; /* "" = none: no rows */
	char fields[UNIT_PARTS]
		   [DIRECTUS_NAME_MAX]; /* of sni_block's further ones; "" = the mapping's */
	unsigned part_count;
	unsigned poll_s;    /* looked at so often */
	uint64_t looked_at; /* monotonic ms, 0 = never */
	bool known;	    /* read since the start */
	/* PART_APPS: the collection is there and in the group; there and not in it; said to be gone
	 */
	bool seen, left, confirmed;
	bool missing; /* neither there nor known to be gone */
	bool hinted;  /* looked at in the next round */
	uint64_t rows, skipped;
	int64_t read_at; /* epoch ms, 0 = never */
	char error[192]; /* "" = the last attempt was good */
	char stamps[UNIT_PARTS][256], next_stamps[UNIT_PARTS][256];
	uint64_t stamp_at,
		begun_at; /* monotonic ms: the present stamps were first seen; reading began */
	int64_t counts[UNIT_PARTS]; /* rows that the next stamps speak of; -1 = not said */
	bool is_short;		    /* read once with fewer rows than were counted */
	bool unsettled; /* within the time that the stamps do not resolve something may follow */
	/* being read */
	struct hmap records; /* id → cJSON, for topics */
	struct buf text;     /* for lists */
	uint64_t next_skipped;
	struct directus_rows rows_now[UNIT_PARTS]; /* those that could be used */
	/* too much was missing: of that reading; is_proved: the token was seen to see all, before
	 * this reading */
	struct directus_rows rows_held[UNIT_PARTS];
	struct directus_lack lack;
	bool is_held, is_proved;
};

struct directus_unit *directus_unit_new(const char *id); /* NULL without memory */
void directus_unit_free(struct directus_unit *u);
/* Empties what was read. */
void directus_unit_reset(struct directus_unit *u, size_t text_max);
typedef void (*directus_on_record)(
	void *arg, enum mapping_part part, char id[static 132], cJSON *record);
/* Takes a row of its part in; on_record may change a topic's record. 0; -errno ends the reading. A
 * row that cannot be used is counted. */
int directus_unit_add(struct directus_unit *u, const struct mapping *m, unsigned part,
	const cJSON *row, directus_on_record on_record, void *arg);
/* What was read last waits for somebody to confirm it … */
void directus_unit_hold(struct directus_unit *u);
/* … or no longer. */
void directus_unit_release(struct directus_unit *u);
/* The stamp in the answer to the question of directus_unit_stamp_target; false: it has none. */
bool directus_unit_take_stamp(struct directus_unit *u, unsigned part, const cJSON *data);
/* Were so many rows of a part less than its stamp counts? */
bool directus_unit_lacks(const struct directus_unit *u, unsigned part, uint64_t rows);
bool directus_unit_is_changed(const struct directus_unit *u);
/* Its rows are read from now on, with the stamps that were taken … */
void directus_unit_begin(struct directus_unit *u);
/* … and were read whole. */
void directus_unit_settle(struct directus_unit *u);
