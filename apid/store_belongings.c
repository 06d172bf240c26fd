/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The topics of the column `device` of records (006_belongings.sql). */
static const int topics[] = { TOPIC_site_overrides, TOPIC_category_prefs, TOPIC_device_prefs,
	TOPIC_dns_rules, TOPIC_appeal_answers };

void store_belongings_remove(struct db_batch *b, const char *device, const struct store_actor *by)
{
	db_add(b,
		"INSERT IGNORE INTO changes (seq, topic, id, at) SELECT s.seq, r.topic, r.id, ? "
		"FROM records r, change_seq s WHERE r.device = ?",
		"is", clock_wall_ms(), device);
	/* What devices are told follows from what is audited. */
	db_add(b,
		"INSERT INTO audit (at, actor, address, action, subject, old) SELECT ?, ?, ?, "
		"CONCAT(topic, '_remove'), id, record FROM records WHERE device = ? AND topic <> "
		"'appeal_answers'",
		"isss", clock_wall_ms(), by->name, by->address, device);
	db_add(b, "DELETE FROM records WHERE device = ?", "s", device);
	/* What it asked for can be decided, but not for the next one. */
	db_add(b, "UPDATE appeals SET device = NULL WHERE device = ? AND status = 'pending'", "s",
		device);
}

static bool is_of(int topic, const struct table_row *row, const char *device)
{
	const char *scope;
	cJSON *json;
	bool is;

	if (topic == TOPIC_device_prefs)
		return !strncmp(row->id, "device:", 7) && !strcmp(row->id + 7, device);
	if (topic != TOPIC_dns_rules)
		return row->device && !strcmp(row->device, device);
	json = json_parse(row->text, row->len);
	scope = cJSON_GetStringValue(json_get(json, "scope"));
	is = scope && !strncmp(scope, "device:", 7) && !strcmp(scope + 7, device);
	cJSON_Delete(json);
	return is;
}

int store_belongings_apply(struct store *s, const char *device)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]) && !r; i++) {
		const struct table *t = &s->tables[topics[i]];

		for (size_t n = t->n; n-- && !r;) {
			char id[331];

			if (!is_of(topics[i], t->sorted[n], device))
				continue;
			snprintf(id, sizeof(id), "%s", t->sorted[n]->id);
			r = store_apply(s, topics[i], id, NULL);
		}
	}
	return r;
}
