/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/through.h"

/* A record of apid's as a row: what Directus shall have. */
struct through_item {
	struct list node; /* in the queue, or in refused */
	enum mapping_part part;
	char id[132];
	bool forced;	   /* written also where it is known: something refers to it */
	cJSON *row;	   /* NULL = absent, not looked at yet */
	uint64_t hash;	   /* of row; 0 = absent */
	char key[256];	   /* of Directus' row, "" = not known */
	bool was_recalled; /* the row of an addition whose end is not known was looked for */
	bool was_found;	   /* the key was looked for */
	bool is_stale;	   /* changed while it was being written */
};

/* The record may have changed: it is looked at, again if it is being written. -ENOMEM. */
int through_touch(struct through *t, enum mapping_part part, const char *id);
/* It is looked at no more. */
void through_item_free(struct through *t, struct through_item *item);
/* Keeps soon what has become known. */
void through_save_soon(struct through *t);
/* At once. */
void through_save(struct through *t);
/* What may have been added, and is not known for certain, is looked for. PARTS: of all parts.
 * -ENOMEM. */
int through_touch_adds(struct through *t, enum mapping_part part);
/* Goes on with what waits. */
void through_next(struct through *t);
/* Fills row and hash from apid's topics. -EAGAIN: *needs is the id of a category that has to be
 * written first. -ENOMEM. */
int through_item_make(const struct through *t, struct through_item *item, char needs[static 132]);
/* The parts that the records of a topic belong to; PARTS = none. */
enum mapping_part through_part_of(enum bus_topic topic);
/* Directus' name of its collection; "" = it has none. */
const char *through_collection(const struct through *t, enum mapping_part part);

/* through_write.c: the row of one record is looked for, changed, added or removed; what came of it
 * is said by through_finish or through_fail. */
/* Is it not to be written? Then what is there is known from now on. */
bool through_is_settled(struct through *t, struct through_item *item);
void through_start_item(struct through *t, struct through_item *item);
/* The active item is written: key is the row's, "" = there is none (any more). */
void through_finish(struct through *t, const char *key);
/* The active item is not: it is tried again, later when Directus will not have it. */
void through_fail(struct through *t, const struct directus_answer *a);
/* Will Directus not have it as it is? */
bool through_is_refused(const struct directus_answer *a);
