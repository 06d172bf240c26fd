/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/purge.h"
#include "common/log.h"

#include <stdlib.h>

enum { EVERY_MS = 3600 * 1000, CHANGES_MS = 3600 * 1000, ROW_BYTES = 200 };

#define DAY_MS (24 * 3600 * 1000LL)

/* Oldest first, so many that what stays fits. */
static void trim(struct purge *p, struct db_batch *b)
{
	const struct db_rows *rows = db_batch_rows(b, p->audit);
	int64_t n = rows->n ? atoll(db_cell(rows, 0, 0)) : 0;
	int64_t bytes = n ? atoll(db_cell(rows, 0, 1)) : 0, max = p->audit_mib << 20;
	int64_t remove = bytes > max ? n - (int64_t)((double)n * (double)max / (double)bytes) : 0;

	p->is_trimmed = true;
	if (!remove) {
		p->is_busy = false;
		return;
	}
	log_notice(
		"audit is above its bytes, oldest rows are removed rows=%lld", (long long)remove);
	db_add(b, "DELETE FROM audit ORDER BY id LIMIT ?", "i", remove);
}

static void on_batch(void *arg, struct db_batch *b, int status)
{
	struct purge *p = arg;

	if (!status && !p->is_trimmed) {
		trim(p, b);
		return;
	}
	p->is_busy = false;
	if (status)
		log_notice("nothing was purged error=%s", db_batch_error(b));
}

void purge_now(struct purge *p)
{
	int64_t now = clock_wall_ms();
	struct db_batch *b;

	if (p->is_busy || !p->timer.on_fire || !store_is_publisher(p->store) ||
		!(b = db_batch_new()))
		return;
	p->is_busy = true;
	p->is_trimmed = false;
	db_add(b, "DELETE FROM audit WHERE at < ?", "i", now - p->audit_days * DAY_MS);
	db_add(b, "DELETE FROM changes WHERE at < ?", "i", now - CHANGES_MS);
	db_add(b, "DELETE FROM sessions WHERE seen_at < ? OR created_at < ?", "ii",
		now - p->session_idle_ms, now - p->session_max_ms);
	db_add(b, "DELETE FROM tokens WHERE expires_at < ?", "i", now - DAY_MS);
	db_add(b, "DELETE FROM device_tokens WHERE expires_at < ?", "i", now);
	p->audit = db_add(b,
		"SELECT COUNT(*), SUM(COALESCE(LENGTH(old), 0) + COALESCE(LENGTH(new), 0) + ?) "
		"FROM "
		"audit",
		"i", (int64_t)ROW_BYTES);
	store_submit(p->store, b, on_batch, p);
}

static void on_timer(struct timer *t)
{
	purge_now(t->data);
}

void purge_open(struct purge *p, uv_loop_t *loop)
{
	timer_init(loop, &p->timer, on_timer, p);
	timer_start(&p->timer, EVERY_MS, EVERY_MS);
}

void purge_close(struct purge *p)
{
	if (p->timer.on_fire)
		timer_close(&p->timer, NULL);
}
