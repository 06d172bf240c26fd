/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/lease.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCK	"CONCAT('culvert.', DATABASE(), '.publisher')"
#define NODE	"CONCAT_WS('|', @@hostname, @@port, @@datadir)"
#define NOW_MS	"CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
#define EXPIRES NOW_MS " + 3000"

_Static_assert(LEASE_MS == 3000, "EXPIRES");

int lease_init(struct lease *l)
{
	unsigned char raw[16];

	*l = (struct lease){ 0 };
	if (random_bytes(NULL, raw, sizeof(raw)))
		return -EIO;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(l->id + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

bool lease_is_held(const struct lease *l, uint64_t now)
{
	return l->number && now < l->until;
}

bool lease_is_due(const struct lease *l, uint64_t now)
{
	return !l->number || now + LEASE_MS - LEASE_RENEW_MS >= l->until;
}

/* A lock counts how often one connection got it, so it is not asked for twice. */
static void add_lock(struct db_batch *b)
{
	db_add(b,
		"SELECT @is_local := COALESCE(IF(IS_USED_LOCK(" LOCK
		") <=> CONNECTION_ID(), 1, GET_LOCK(" LOCK ", 0)), 0)",
		"");
}

void lease_add(const struct lease *l, struct db_batch *b, uint64_t now, struct lease_try *t)
{
	*t = (struct lease_try){ .sent = now, .is_renewal = l->number };
	add_lock(b);
	if (l->number)
		db_add(b,
			"UPDATE publisher SET node = IF(@is_local, " NODE
			", ''), expires_at = " EXPIRES
			" WHERE one = 1 AND holder = ? AND number = ?",
			"si", l->id, (int64_t)l->number);
	else
		db_add(b,
			"UPDATE publisher SET number = GREATEST(number + 1, ? + 1, " NOW_MS
			"), holder = ?, node = IF(@is_local, " NODE ", ''), expires_at = " EXPIRES
			" WHERE one = 1 AND (expires_at < " NOW_MS
			" OR holder = ? OR (@is_local AND node = " NODE "))",
			"iss", (int64_t)l->floor, l->id, l->id);
	t->held =
		db_add(b, "SELECT number FROM publisher WHERE one = 1 AND holder = ?", "s", l->id);
}

bool lease_take(struct lease *l, const struct db_batch *b, const struct lease_try *t)
{
	const struct db_rows *rows = db_batch_rows(b, t->held);
	uint64_t number = rows->n ? strtoull(db_cell(rows, 0, 0), NULL, 10) : 0;

	/* Lost meanwhile: what the renewal says is of no concern. */
	if (t->is_renewal && number != l->number)
		number = 0;
	l->number = number;
	l->until = t->sent + LEASE_MS;
	return number;
}

void lease_lose(struct lease *l, uint64_t floor)
{
	l->number = 0;
	if (floor > l->floor)
		l->floor = floor;
}
