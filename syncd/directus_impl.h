/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/directus.h"

/* What the parts of directus.h share: its units, its rounds, the group of lists. */

/* ---- the units ---- */

/* NULL when there is none of that id. */
struct directus_unit *directus_find_unit(const struct directus *d, const char *id);
/* Those of the mapping: the topics and K's own lists. -ENOMEM. */
int directus_add_units(struct directus *d);
/* The unit at that place is gone from now on. */
void directus_remove_unit(struct directus *d, size_t i);
/* Its topic or list stays as it is, and why is told: once per reason. */
void directus_unit_fail(struct directus *d, struct directus_unit *u, const char *why);

/* ---- the group of lists ---- */

/* Asks which collections there are, then goes on with directus_round_go or directus_round_abort.
 * -ENOMEM: nothing was asked. */
int directus_group_ask(struct directus *d);

/* ---- the round under way ---- */

/* The unit that was read whole is published, read once more, or stays as it is, and why is told. */
void directus_round_publish(struct directus *d);
void directus_round_reread(struct directus *d);
void directus_round_skip(struct directus *d, const char *why);
/* The next round gets its time. */
void directus_round_plan(struct directus *d, uint64_t now);
/* With the first unit. */
void directus_round_go(struct directus *d);
/* Nothing more to be had this time. */
void directus_round_abort(struct directus *d, const struct directus_answer *a);
