/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "syncd/directus_read.h"
#include "syncd/mapping.h"

/*
 * What became of appeals, both ways (S1). What is approved or rejected in Directus is told to apid,
 * which brings its effect about, once. What apid has decided is written to Directus' row. apid's
 * word is the last: where both decided before they knew of each other, Directus' row is changed.
 */
struct directus_decisions_ops {
	/* Ask apid; directus_decisions_told follows, once. */
	void (*on_decision)(void *arg, const struct mapping_decision *decision);
	void (*on_alarm)(void *arg, const char *what, const char *detail);
};

struct directus_decisions {
	struct directus_client *client;
	const struct mapping *mapping;
	const struct directus_decisions_ops *ops;
	void *arg;
	unsigned page;
	struct hmap known; /* uuid → text of the status that both have, or are being told */
	bool closing;
	/* reading Directus */
	bool is_looking, look_again, whole;
	int part; /* PART_VPN_APPEALS, PART_WEBSITE_APPEALS */
	struct directus_read read;
	char stamps[2][256], next_stamp[256];
	struct list found; /* struct decision: to be told to apid, one at a time */
	struct decision *telling;
	/* writing to Directus */
	struct list writes; /* struct decision */
	struct decision *writing;
	int write_part;
	bool writes_wait; /* Directus failed at the last one: not before retry */
	struct timer retry;
	char error[192];	  /* "" = nothing is wrong */
	char read_errors[2][192]; /* of each collection: told once */
};

void directus_decisions_open(struct directus_decisions *d, struct directus_client *client,
	const struct mapping *mapping, unsigned page, const struct directus_decisions_ops *ops,
	void *arg);
/* Has something been decided in Directus? whole: read it all, whatever the stamps say. */
void directus_decisions_look(struct directus_decisions *d, bool whole);
/* Is it the collection of appeals? */
bool directus_decisions_has(const struct directus_decisions *d, const char *collection);
/* What apid says to on_decision: 0 and the status that is in force; -ENOENT, -EINVAL: it will not
 * have it; others: it is asked again. */
void directus_decisions_told(struct directus_decisions *d, int err, enum review_status in_force);
/* apid has decided: Directus' row says so soon. -ENOMEM. */
int directus_decisions_write(
	struct directus_decisions *d, const char *uuid, enum review_status status);
void directus_decisions_report(const struct directus_decisions *d, cJSON *status);
/* Before the client's close. */
void directus_decisions_close(struct directus_decisions *d);
void directus_decisions_fini(struct directus_decisions *d);
