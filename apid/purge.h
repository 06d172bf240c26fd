/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/store.h"
#include "common/timer.h"

/* Takes away what is past its retention: audit rows by days and bytes, sessions and tokens that
 * have ended, changes that everybody has followed. Now and every hour, by the apid that publishes.
 */
struct purge {
	struct store *store;
	int64_t audit_days, audit_mib;
	int64_t session_idle_ms, session_max_ms;
	struct timer timer;
	size_t audit; /* statement of the batch under way */
	bool is_busy, is_trimmed;
};

/* p is filled but for the rest. */
void purge_open(struct purge *p, uv_loop_t *loop);
void purge_close(struct purge *p);
/* The database was read: looks at once. */
void purge_now(struct purge *p);
