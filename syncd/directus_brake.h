/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/directus.h"

/*
 * Rows, and columns, that a rule of the token's permissions hides look as if they had been removed,
 * and what they block would be free. So a reading that lacks many of the rows that the one before
 * had, or a column, is taken only where Directus says, before and after it, that the token may see
 * all of the collection; else the last good state stays until an administrator confirms it.
 * What the last good readings had is kept in state_dir, so that a restart opens nothing.
 */

/* state_dir is copied. What is kept there and cannot be read is told, and the next readings are the
 * first ones. -ENOMEM. */
int directus_brake_open(struct directus *d, const char *state_dir);
/* The unit of the round under way was read whole: goes on with directus_round_publish,
 * directus_round_reread, directus_round_skip or directus_round_abort. */
void directus_brake_judge(struct directus *d);
/* What is kept of a unit goes: its list is gone. */
void directus_brake_forget(struct directus *d, const struct directus_unit *u);
/* That row was removed by ourselves. */
void directus_brake_removed(struct directus *d, const char *collection, const char *key);
/* Writes what has changed. */
void directus_brake_save(struct directus *d);
/* An administrator says that what is missing of that topic or list is right: what was read is what
 * the next reading is compared with. False: there is nothing that waits for it. */
bool directus_brake_confirm(struct directus *d, const char *id);
void directus_brake_fini(struct directus *d);
