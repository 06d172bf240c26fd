/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"
#include "common/addr.h"

/*
 * What every transaction that changes something consists of: it takes the one row of change_seq
 * first, so that all apid's commits have one order and none deadlocks; it notes what it changed, so
 * that every apid follows; and it leaves an audit row.
 */

/* Who changes something; in the audit. */
struct store_actor {
	char name[130]; /* "admin:NAME", "token:ID of NAME", "device:ID", "key:NAME", "apid", "wgd"
			 */
	char address[ADDR_STRLEN]; /* "" = not over the network */
};

void write_begin(struct db_batch *b);
/* id of topic changed; "*", "" = everything. At least once in each transaction. */
void write_note(struct db_batch *b, const char *topic, const char *id);
/* old, new: JSON, NULL = none; never with secrets. */
void write_audit(struct db_batch *b, const struct store_actor *by, const char *action,
	const char *subject, const char *old, const char *new);
/* Commits; returns the statement that gives the number of the change. */
size_t write_commit(struct db_batch *b);
int64_t write_number(const struct db_batch *b, size_t commit);
