/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/store.h"

/*
 * Appeals in MariaDB (S5, A6), each once by its uuid, and the answers that devices see.
 */

/* The columns that appeal_json reads, of table appeals a. */
#define APPEAL_COLUMNS                                                                             \
	"a.uuid, a.url, a.host, a.mode, a.category_id, a.reason, a.device, a.at, a.status, "       \
	"a.answer, a.effect, a.decided_at, a.decided_by, a.directus_at"
cJSON *appeal_json(const struct db_rows *rows, size_t row);

/* Stores one that has come. on_done: 0: it is stored, *is_new tells whether by this call; -EINVAL:
 * the database will never take it; others: try again. */
void appeal_store(struct store *s, const struct rec_appeal *appeal,
	void (*on_done)(void *arg, int status, bool is_new), void *arg);

/* What the device sees of its appeal from the change w on; answer NULL: without words. Nothing for
 * an appeal of no device. 0 or -errno. */
int appeal_answer_set(struct store_work *w, const char *uuid, const char *device, const char *host,
	enum review_status status, const char *answer);
