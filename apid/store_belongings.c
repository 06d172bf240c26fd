/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_impl.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The topics of the columns `device` and `of_group` of records (006_belongings.sql,
 * 007_references.sql). */
static const int topics[] = { TOPIC_site_overrides, TOPIC_category_prefs, TOPIC_device_prefs,
	TOPIC_dns_rules, TOPIC_appeal_answers };

/* What devices are told follows from what is audited. */
#define NOTE(column)                                                                               \
	"INSERT IGNORE INTO changes (seq, topic, id, at) SELECT s.seq, r.topic, r.id, ? "          \
	"FROM records r, change_seq s WHERE r." column " = ?"
#define AUDIT(column)                                                                              \
	"INSERT INTO audit (at, actor, address, action, subject, old) SELECT ?, ?, ?, "            \
	"CONCAT(topic, '_remove'), id, record FROM records WHERE " column " = ? AND topic <> "     \
	"'appeal_answers'"
#define REMOVE(column) "DELETE FROM records WHERE " column " = ?"

void store_belongings_remove(
	struct db_batch *b, int table, const char *id, const struct store_actor *by)
{
	bool is_group = table == TOPIC_groups;

	db_add(b, is_group ? NOTE("of_group") : NOTE("device"), "is", clock_wall_ms(), id);
	db_add(b, is_group ? AUDIT("of_group") : AUDIT("device"), "isss", clock_wall_ms(), by->name,
		by->address, id);
	db_add(b, is_group ? REMOVE("of_group") : REMOVE("device"), "s", id);
	/* What a device asked for can be decided, but not for the next one. */
	if (!is_group)
		db_add(b,
			"UPDATE appeals SET device = NULL WHERE device = ? AND status = 'pending'",
			"s", id);
}

void store_record_remove(
	struct db_batch *b, int table, const char *id, const struct store_actor *by)
{
	if (table == TOPIC_groups)
		store_belongings_remove(b, table, id, by);
	db_add(b, "DELETE FROM records WHERE topic = ? AND id = ?", "ss", store_table_name(table),
		id);
}

/* Is text "device:ID" or "group:ID"? */
static bool is_scope(const char *text, const char *kind, const char *id)
{
	size_t len = strlen(kind);

	return text && !strncmp(text, kind, len) && text[len] == ':' && !strcmp(text + len + 1, id);
}

static bool is_of(int topic, const struct table_row *row, bool is_group, const char *id)
{
	const char *kind = is_group ? "group" : "device",
		   *whose = is_group ? row->group : row->device;
	cJSON *json;
	bool is;

	if (topic == TOPIC_device_prefs)
		return is_scope(row->id, kind, id);
	if (topic != TOPIC_dns_rules)
		return whose && !strcmp(whose, id);
	json = json_parse(row->text, row->len);
	is = is_scope(cJSON_GetStringValue(json_get(json, "scope")), kind, id);
	cJSON_Delete(json);
	return is;
}

int store_belongings_apply(struct store *s, int table, const char *id)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]) && !r; i++) {
		const struct table *t = &s->tables[topics[i]];

		for (size_t n = t->n; n-- && !r;) {
			char its[331];

			if (!is_of(topics[i], t->sorted[n], table == TOPIC_groups, id))
				continue;
			snprintf(its, sizeof(its), "%s", t->sorted[n]->id);
			r = store_apply(s, topics[i], its, NULL);
		}
	}
	return r;
}

int store_record_apply(struct store *s, int table, const char *id, const char *text)
{
	int r = store_apply(s, table, id, text);

	return r || text || table != TOPIC_groups ? r : store_belongings_apply(s, table, id);
}
