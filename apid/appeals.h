/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/notify.h"
#include "apid/store.h"
#include "common/bus.h"
#include "common/list.h"
#include "common/timer.h"

/*
 * The way of appeals through apid (S5). From the queue into MariaDB; then, and only then, proxyd's
 * spool is told. Where Directus is configured syncd has them from the same queue; what it has not
 * confirmed after a while is queued again, by the apid that publishes, until it has. What is
 * decided in Directus comes back as the request appeal_status.
 */
struct appeals {
	struct store *store;
	struct bus *bus;
	struct notify *notify; /* is told of new ones */
	int64_t requeue_ms, keep_ms;
	struct list waiting; /* struct waiting_appeal: read from the queue, not stored yet */
	size_t waiting_count;
	struct waiting_appeal *active; /* being stored; NULL = none */
	struct timer retry, requeue;
	int64_t directus_at; /* epoch ms: when syncd last told that it has a Directus */
	bool is_requeueing, is_purging;
	size_t due, old;   /* statements of the batches under way */
	uint64_t purge_at; /* monotonic ms */
	uint64_t stored;
};

/* a is zeroed but for store, bus, notify, requeue_ms and keep_ms. 0 or -errno. */
int appeals_open(struct appeals *a, uv_loop_t *loop);
void appeals_close(struct appeals *a);
void appeals_fini(struct appeals *a); /* after the loop has ended */
void appeals_report(const struct appeals *a, cJSON *status);
/* Is there such a category, of apid's or of Directus? */
bool appeals_has_category(const struct store *s, const struct bus *bus, const char *id);
