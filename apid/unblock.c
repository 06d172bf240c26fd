/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/unblock.h"
#include "common/timer.h"

#include <errno.h>
#include <string.h>

enum { KEPT_MS = 24 * 3600 * 1000, PURGE_MAX = 200 };

static bool has_ended(const struct table_row *row, int64_t before)
{
	cJSON *json = json_parse(row->text, row->len);
	int64_t until;
	bool has = json_get_int(json_get(json, "until"), &until) && until < before;

	cJSON_Delete(json);
	return has;
}

/* In the order of ids all of them stand together. */
static int purge_step(void *arg, struct store_work *w, struct db_batch *b, unsigned number)
{
	const struct table *t = store_table(arg, TOPIC_site_overrides);
	int64_t before = clock_wall_ms() - KEPT_MS;
	int n = 0, r = 0;

	(void)b;
	(void)number;
	for (size_t i = table_after(t, UNBLOCK_PREFIX); i < t->n && !r && n < PURGE_MAX; i++) {
		const struct table_row *row = t->sorted[i];

		if (strncmp(row->id, UNBLOCK_PREFIX, strlen(UNBLOCK_PREFIX)) != 0)
			break;
		if (!has_ended(row, before))
			continue;
		r = store_work_set(w, TOPIC_site_overrides, row->id, NULL);
		n++;
	}
	return !r && !n ? -EALREADY : r;
}

static void on_purged(void *arg, int status)
{
	(void)arg;
	(void)status;
}

void unblock_purge(struct store *s)
{
	static const struct store_actor self = { .name = "apid" };

	store_work(s, &self, 0, purge_step, on_purged, s);
}
