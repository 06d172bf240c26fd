/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/timer.h"
#include "syncd/directus_read.h"
#include "syncd/through_adds.h"
#include "syncd/through_links.h"

/*
 * What is changed in apid is written to Directus, too (S1): switches always, the rest where
 * policy_source says that Directus' word counts. apid's topics are followed, as they are in Redis
 * and on disk: a change made while syncd or Directus was away is written later.
 *
 * A row that stands for a record of apid's is published under that record's id, so that one of the
 * two is in force and not both. Nothing is written because of what Directus says, so nothing goes
 * round; what is changed in Directus afterwards stays, until apid's record is changed again. A row
 * that is removed in Directus has apid's record removed.
 */
struct through_ops {
	/* Rows of that collection were written. */
	void (*on_written)(void *arg, const char *collection);
	/* That row was removed, as apid's record was. */
	void (*on_removed)(void *arg, const char *collection, const char *key);
	/* The row that stood for the record is gone: apid's record shall go, too. */
	void (*on_gone)(void *arg, enum bus_topic topic, const char *id);
	void (*on_alarm)(void *arg, const char *what, const char *detail);
};

enum through_step { THROUGH_FIND, THROUGH_CHANGE, THROUGH_ADD, THROUGH_REMOVE };

struct through {
	struct bus *bus;
	struct directus_client *client;
	const struct mapping *mapping;
	const struct through_ops *ops;
	void *arg;
	struct through_links links;
	struct through_adds adds;
	bool writes; /* policy_source is directus */
	bool ready;  /* policy_source is known */
	bool closing;
	bool swept[PARTS];	    /* what apid had removed before the start was looked for */
	struct hmap dirty;	    /* "part/id" → struct through_item */
	struct list queue, refused; /* struct through_item */
	struct through_item *active;
	enum through_step step;
	struct timer retry, save;
	unsigned failures;
	uint64_t written;
	char error[192];
};

/* 0 or -errno. */
int through_open(struct through *t, struct bus *bus, struct directus_client *client,
	const struct mapping *mapping, uv_loop_t *loop, const char *state_dir,
	const struct through_ops *ops, void *arg);
/* Follows apid's topics. 0 or -errno. */
int through_start(struct through *t);
/* What policy_source says. */
void through_set_writes(struct through *t, bool writes);
/* A row that was read: gives it the id, and what rows have no field for, of the record that it
 * stands for. */
void through_adopt(
	const struct through *t, enum mapping_part part, char id[static 132], cJSON *record);
/* The whole of a topic was read, from monotonic ms begun_at on (id → cJSON). */
void through_compare(
	struct through *t, enum bus_topic topic, const struct hmap *records, uint64_t begun_at);
/* apid has removed the record whose row is gone. */
void through_dropped(struct through *t, enum bus_topic topic, const char *id);
void through_report(const struct through *t, cJSON *status);
/* Before the client's close. */
void through_close(struct through *t);
void through_fini(struct through *t);
