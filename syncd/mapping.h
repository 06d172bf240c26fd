/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/bus.h"
#include "common/hmap.h"

/*
 * Rows of Directus as records of the bus: which collection and which of its fields stand for what.
 * The names are K's; each can be changed (syncd.directus_map):
 *   websites=my_sites             the collection of that part
 *   websites.pattern=address      a field of it
 *   search_words=                 no collection: the part is empty
 */
enum mapping_part {
	PART_MAPS,
	PART_GIFS,
	PART_GENERAL,
	PART_APP_URLS,
	PART_APPS, /* every collection of the group `apps`; its fields are theirs */
	PART_LIST_PREFS,
	PART_SWITCHES,
	PART_CATEGORIES,
	PART_WEBSITES,
	PART_WORDS,
	PART_SEARCH_WORDS,
	PART_CATEGORY_PREFS,
	PART_SITE_OVERRIDES,
	PART_SNI_BLOCK,
	PART_MITM_IGNORE,
	PART_IMAGE_IGNORE,
	PART_VPN_APPEALS,     /* written: mode appeal */
	PART_WEBSITE_APPEALS, /* written: review, report */
	PARTS
};

#define MAPPING_FIELDS 8

struct mapping {
	const char *collections[PARTS];		    /* "" = none */
	const char *columns[PARTS][MAPPING_FIELDS]; /* in the order of the part's table */
};

/* K's names. The strings are not the mapping's. */
void mapping_init(struct mapping *m);
/* One "part=collection" or "part.field=column", which has to live as long as the mapping. *room
 * (strlen + 1) is a copy that the mapping cuts up. -EINVAL with why. */
int mapping_set(struct mapping *m, char *room, char *why, size_t why_len);
const char *mapping_part_name(enum mapping_part part);
/* The topic of parts whose rows are records; false for lists and the halves of device_prefs. */
bool mapping_topic(enum mapping_part part, enum bus_topic *out);

/*
 * A row as a record with its id (both the caller's). -EINVAL with why: it has not what it needs and
 * is left out. What restricts and is not understood stays as it is in the record, which closes it.
 */
int mapping_make(const struct mapping *m, enum mapping_part part, const cJSON *row,
	char id[static 132], cJSON **out, char *why, size_t why_len);
/* Adds a row of PART_LIST_PREFS or PART_SWITCHES to the records of device_prefs (id → cJSON). Of
 * rows that contradict each other the strictest counts, whatever their order: a switch that one
 * sets is set, a list that one has on is on. As mapping_make. */
int mapping_add_pref(const struct mapping *m, enum mapping_part part, const cJSON *row,
	struct hmap *records, char *why, size_t why_len);
/* All rows were added. */
void mapping_finish_prefs(struct hmap *records);
/* Bit f: the row has a column for field f of the part's table, whatever is in it. */
unsigned mapping_present(const struct mapping *m, enum mapping_part part, const cJSON *row);
/* Adds the entries of a row of a list to its text, a line each. The field may hold a text of many
 * lines, an array, or an array as text. -ENOMEM, -ENOSPC. */
int mapping_add_entries(
	const struct mapping *m, enum mapping_part part, const cJSON *row, struct buf *text);

/*
 * The other way: a record as a row without its key, absent fields as null. NULL: a row cannot say
 * it (it is about a group, has an end or a schedule, or lacks what a row needs); or no memory.
 */
cJSON *mapping_format_row(const struct mapping *m, enum mapping_part part, const cJSON *record);
/* Appends what finds that row among others, as part of a query: "&filter[…". 0 or -errno;
 * -EINVAL: the row lacks a column that it is found by. */
int mapping_format_filter(
	const struct mapping *m, enum mapping_part part, const cJSON *row, struct buf *to);
/* Adds what the record has and rows of that part have no field for. */
void mapping_add_rest(enum mapping_part part, const cJSON *record, cJSON *to);

/* The name of a field's column in Directus, NULL when the part has no such field. */
const char *mapping_column_name(const struct mapping *m, enum mapping_part part, const char *field);

/* What a row of PART_VPN_APPEALS or PART_WEBSITE_APPEALS says of an appeal. */
struct mapping_decision {
	char uuid[37], category[65]; /* category "" = none */
	enum review_status status;
};
/* False: it says nothing that we could use. */
bool mapping_read_decision(const struct mapping *m, enum mapping_part part, const cJSON *row,
	struct mapping_decision *out);

/* What is written of an appeal, as JSON text (free with free()), and into which collection (the
 * mapping's string). A category whose id is a number is written as one. NULL without memory. */
char *mapping_format_appeal(
	const struct mapping *m, const struct rec_appeal *appeal, const char **collection);
