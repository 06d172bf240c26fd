/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/store_uses.h"
#include "apid/store.h"
#include "common/buf.h"

#include <errno.h>
#include <stdlib.h>

/* The first few ids, and how many there are. Window functions count before LIMIT. */
#define FOUND	    "SELECT id, COUNT(*) OVER () FROM "
#define FIRST	    " ORDER BY id LIMIT 3"
#define OF(topic)   FOUND "records WHERE topic = '" topic "' AND "
#define FIELD(path) "JSON_VALUE(record, '" path "') COLLATE utf8mb4_nopad_bin = ?"
#define SCHEDULE(path, kind)                                                                       \
	"JSON_CONTAINS(record, JSON_OBJECT('what', CONCAT('" kind "', ?)), '" path "')"
#define LIMIT(of)                                                                                  \
	"FROM " of " WHERE JSON_CONTAINS(allowed_groups, JSON_QUOTE(?)) ORDER BY name LIMIT 3"

static const struct kind {
	int table;
	/* is_left: also what was left by one that was taken away; is_own: goes with it otherwise.
	 */
	bool is_left, is_own;
	const char *one, *many, *sql;
} kinds[] = {
	{ TOPIC_categories, true, false, "website", "websites",
		OF("websites") "category = ?" FIRST },
	{ TOPIC_categories, true, false, "preference", "preferences",
		OF("category_prefs") "category = ?" FIRST },
	{ TOPIC_categories, true, false, "a schedule of device", "schedules of devices",
		FOUND "devices WHERE " SCHEDULE("$.schedules", "category:") FIRST },
	{ TOPIC_categories, true, false, "a schedule of group", "schedules of groups",
		OF("groups") SCHEDULE("$.schedules", "category:") FIRST },
	{ TOPIC_categories, true, false, "a schedule of setting", "schedules of settings",
		OF("settings") SCHEDULE("$.value.schedules", "category:") FIRST },
	{ TOPIC_profiles, false, false, "device", "devices",
		FOUND "devices WHERE " FIELD("$.profile") FIRST },
	{ TOPIC_profiles, false, false, "group", "groups", OF("groups") FIELD("$.profile") FIRST },
	{ TOPIC_profiles, false, false, "setting", "settings",
		OF("settings") FIELD("$.value.profile") FIRST },
	{ TOPIC_list_sources, false, false, "the switches of", "the switches of",
		OF("device_prefs") "JSON_CONTAINS(record, JSON_QUOTE(?), '$.lists_off')" FIRST },
	{ TOPIC_list_sources, false, false, "a schedule of device", "schedules of devices",
		FOUND "devices WHERE " SCHEDULE("$.schedules", "list:") FIRST },
	{ TOPIC_list_sources, false, false, "a schedule of group", "schedules of groups",
		OF("groups") SCHEDULE("$.schedules", "list:") FIRST },
	{ TOPIC_list_sources, false, false, "a schedule of setting", "schedules of settings",
		OF("settings") SCHEDULE("$.value.schedules", "list:") FIRST },
	{ TOPIC_groups, true, false, "device", "devices",
		FOUND "devices WHERE " FIELD("$.group") FIRST },
	{ TOPIC_groups, false, false, "account", "accounts",
		"SELECT name, COUNT(*) OVER () " LIMIT("admins") },
	{ TOPIC_groups, false, false, "token", "tokens",
		"SELECT name, COUNT(*) OVER () " LIMIT("tokens") },
	{ TOPIC_groups, true, true, "override", "overrides",
		OF("site_overrides") "of_group = ?" FIRST },
	{ TOPIC_groups, true, true, "preference", "preferences",
		OF("category_prefs") "of_group = ?" FIRST },
	{ TOPIC_groups, true, true, "the switches of", "the switches of",
		OF("device_prefs") "of_group = ?" FIRST },
	{ TOPIC_groups, true, true, "DNS rule", "DNS rules", OF("dns_rules") "of_group = ?" FIRST },
	{ TABLE_users, true, false, "device", "devices",
		FOUND "devices WHERE " FIELD("$.user") FIRST },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool is_asked(const struct kind *k, int table, bool is_new)
{
	return k->table == table && (is_new ? k->is_left : !k->is_own);
}

bool store_uses_exist(int table)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (kinds[i].table == table)
			return true;
	}
	return false;
}

bool store_uses_add(
	struct db_batch *b, int table, const char *id, bool is_new, struct store_uses *out)
{
	*out = (struct store_uses){ .table = table, .is_new = is_new };
	for (size_t i = 0; i < KINDS; i++) {
		size_t statement;

		if (!is_asked(&kinds[i], table, is_new))
			continue;
		statement = db_add(b, kinds[i].sql, "s", id);
		if (!out->count++)
			out->first = statement;
	}
	return out->count;
}

static void append(struct buf *out, const struct kind *k, const struct db_rows *rows)
{
	long long count = atoll(db_cell(rows, 0, 1)), rest = count - (long long)rows->n;

	buf_printf(out, "%s%s ", out->len ? "; " : "", count == 1 ? k->one : k->many);
	for (size_t i = 0; i < rows->n; i++)
		buf_printf(out, "%s%s",
			!i				? ""
			: i + 1 == rows->n && rest == 0 ? " and "
							: ", ",
			db_cell(rows, i, 0));
	if (rest > 0)
		buf_printf(out, " and %lld more", rest);
}

int store_uses_take(const struct db_batch *b, const struct store_uses *u, char **why)
{
	size_t statement = u->first, len;
	struct buf found, text;

	*why = NULL;
	buf_init(&found, 0);
	buf_init(&text, 0);
	for (size_t i = 0; i < KINDS; i++) {
		const struct db_rows *rows;

		if (!is_asked(&kinds[i], u->table, u->is_new))
			continue;
		rows = db_batch_rows(b, statement++);
		if (rows->n)
			append(&found, &kinds[i], rows);
	}
	if (found.len)
		buf_printf(&text,
			u->is_new ? "one of this id was removed and is still used by %.*s: change "
				    "that first, or take another id"
				  : "it is used by %.*s: change that first",
			(int)found.len, (const char *)found.data);
	buf_append_byte(&text, 0);
	if (found.len && !found.failed && !text.failed)
		*why = (char *)buf_release(&text, &len);
	statement = found.len;
	buf_fini(&text);
	buf_fini(&found);
	return !statement ? 0 : *why ? -EBUSY : -ENOMEM;
}
