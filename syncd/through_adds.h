/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "syncd/mapping.h"

/*
 * Rows that Directus is asked to add, in a file before it is asked: who is stopped before the new
 * row's key is kept finds the row by what it was to say, though apid's record may say something
 * else by then, or be gone.
 */
struct through_add {
	enum mapping_part part;
	char id[132]; /* of apid's record, as in struct through_link */
	char *collection;
	cJSON *row;
	bool is_linked; /* a link says what became of it; not kept */
};

struct through_adds {
	char *path;
	struct hmap by_id; /* "part/id" → struct through_add */
	bool is_changed;
};

/* Reads the file; what cannot be read counts as none. -ENOMEM. */
int through_adds_open(struct through_adds *a, const char *state_dir);
void through_adds_fini(struct through_adds *a);
/* Before the row is added; in the place of an earlier one for that record. 0 when the file holds
 * it, else -errno. */
int through_adds_note(struct through_adds *a, enum mapping_part part, const char *id,
	const char *collection, const cJSON *row);
/* The row that may be there by now; NULL: none, or a link says what became of it. */
const cJSON *through_adds_find(const struct through_adds *a, enum mapping_part part, const char *id,
	const char *collection);
/* A link says what became of it. */
void through_adds_link(struct through_adds *a, enum mapping_part part, const char *id);
/* Directus has no such row. */
void through_adds_remove(struct through_adds *a, enum mapping_part part, const char *id);
/* The links are kept: what they say goes from the file. 0 or -errno. */
int through_adds_save(struct through_adds *a);
