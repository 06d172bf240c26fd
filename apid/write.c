/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/write.h"
#include "common/timer.h"

#include <stdlib.h>

void write_begin(struct db_batch *b)
{
	db_add_text(b, "START TRANSACTION");
	db_add_text(b, "UPDATE change_seq SET seq = seq + 1 WHERE one = 1");
}

void write_note(struct db_batch *b, const char *topic, const char *id)
{
	db_add(b,
		"INSERT IGNORE INTO changes (seq, topic, id, at) SELECT seq, ?, ?, ? FROM "
		"change_seq",
		"ssi", topic, id, clock_wall_ms());
}

void write_audit(struct db_batch *b, const struct store_actor *by, const char *action,
	const char *subject, const char *old, const char *new)
{
	db_add(b,
		"INSERT INTO audit (at, actor, address, action, subject, old, new) VALUES (?, ?, "
		"?, ?, ?, ?, ?)",
		"issssss", clock_wall_ms(), by->name, by->address, action, subject, old, new);
}

size_t write_commit(struct db_batch *b)
{
	size_t number = db_add(b, "SELECT seq FROM change_seq", "");

	db_add_text(b, "COMMIT");
	return number;
}

int64_t write_number(const struct db_batch *b, size_t commit)
{
	const struct db_rows *rows = db_batch_rows(b, commit);

	return rows->n ? atoll(db_cell(rows, 0, 0)) : 0;
}
