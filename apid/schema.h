/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"

/*
 * Brings the database to the newest schema (apid/schema/NNN_*.sql, part of the program), as set-up
 * work, under a lock on the server so that several processes may start at once. on_done: 0 or
 * -errno. The connection keeps the lock until it ends or schema_unlock.
 */
int schema_migrate(struct db *db, void (*on_done)(void *arg, int status), void *arg);
/* Adds the release of the lock to a batch. */
void schema_unlock(struct db_batch *b);
/* What every connection is set to. */
void schema_session(struct db_batch *b, const struct db *db);
