/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/statistics_write.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_PER_STATEMENT = 500, PURGE_ROWS = 5000, TRIM_ROWS = 20000 };

/* Each gathered row becomes one per step, by joining with the steps. */
#define STEPS_FROM(first)                                                                          \
	" CROSS JOIN (SELECT 0 AS step, 60 AS len UNION ALL SELECT 1, 3600 UNION ALL SELECT 2, "   \
	"86400) s WHERE s.step >= " first
#define AT_STEP "s.step, j.at - j.at MOD s.len"

#define SQL_VERDICTS                                                                               \
	"INSERT INTO statistics (step, at, device, dns_allowed, dns_blocked, dns_failed, "         \
	"web_allowed, web_blocked, web_unknown, web_failed, web_bytes, refused_packets, "          \
	"refused_bytes) SELECT " AT_STEP ", j.device, j.a, j.b, j.c, j.d, j.e, j.f, j.g, j.h, "    \
	"j.i, j.k FROM JSON_TABLE(?, '$[*]' COLUMNS (at BIGINT PATH '$[0]', device VARCHAR(64) "   \
	"PATH '$[1]', a BIGINT PATH '$[2]', b BIGINT PATH '$[3]', c BIGINT PATH '$[4]', d BIGINT " \
	"PATH '$[5]', e BIGINT PATH '$[6]', f BIGINT PATH '$[7]', g BIGINT PATH '$[8]', h BIGINT " \
	"PATH '$[9]', i BIGINT PATH '$[10]', k BIGINT PATH '$[11]')) j" STEPS_FROM(                \
		"0") " ON DUPLICATE KEY UPDATE dns_allowed = dns_allowed + VALUES(dns_allowed), "  \
		     "dns_blocked = "                                                              \
		     "dns_blocked + VALUES(dns_blocked), dns_failed = dns_failed + "               \
		     "VALUES(dns_failed), "                                                        \
		     "web_allowed = web_allowed + VALUES(web_allowed), web_blocked = web_blocked " \
		     "+ "                                                                          \
		     "VALUES(web_blocked), web_unknown = web_unknown + VALUES(web_unknown), "      \
		     "web_failed = "                                                               \
		     "web_failed + VALUES(web_failed), web_bytes = web_bytes + "                   \
		     "VALUES(web_bytes), "                                                         \
		     "refused_packets = refused_packets + VALUES(refused_packets), refused_bytes " \
		     "= "                                                                          \
		     "refused_bytes + VALUES(refused_bytes)"

#define SQL_LISTS                                                                                  \
	"INSERT INTO statistics_lists (step, at, device, list, hits) SELECT " AT_STEP              \
	", j.device, j.list, j.hits FROM JSON_TABLE(?, '$[*]' COLUMNS (at BIGINT PATH '$[0]', "    \
	"device VARCHAR(64) PATH '$[1]', list VARCHAR(64) PATH '$[2]', hits BIGINT PATH '$[3]'))"  \
	" j" STEPS_FROM(                                                                           \
		"0") " ON DUPLICATE KEY UPDATE hits = statistics_lists.hits + VALUES(hits)"

#define SQL_DOMAINS                                                                                \
	"INSERT INTO statistics_domains (step, at, device, domain, verdict, hits, bytes) "         \
	"SELECT " AT_STEP ", j.device, j.domain, j.verdict, j.hits, j.bytes FROM "                 \
	"JSON_TABLE(?, '$[*]' COLUMNS (at BIGINT PATH '$[0]', device VARCHAR(64) PATH '$[1]', "    \
	"verdict TINYINT PATH '$[2]', domain VARCHAR(253) PATH '$[3]', hits BIGINT PATH '$[4]', "  \
	"bytes BIGINT PATH '$[5]')) j" STEPS_FROM(                                                 \
		"1") " ON DUPLICATE KEY UPDATE hits = statistics_domains.hits + VALUES(hits), "    \
		     "bytes = "                                                                    \
		     "statistics_domains.bytes + VALUES(bytes)"

/* ---- writes ---- */

/* Rows for one statement, and the statements that are full. */
struct writer {
	struct db_batch *b;
	const char *sql;
	cJSON *rows;
	size_t n, all;
};

static void flush(struct writer *w)
{
	char *text = w->n ? json_format(w->rows) : NULL;

	if (text)
		db_add(w->b, w->sql, "s", text);
	free(text);
	cJSON_Delete(w->rows);
	w->rows = NULL;
	w->n = 0;
}

static void add_row(struct writer *w, cJSON *row)
{
	if (!w->rows)
		w->rows = cJSON_CreateArray();
	cJSON_AddItemToArray(w->rows, row);
	w->all++;
	if (++w->n == ROWS_PER_STATEMENT)
		flush(w);
}

static void add_number(cJSON *row, uint64_t n)
{
	cJSON_AddItemToArray(row, cJSON_CreateNumber((double)n));
}

/* The key's parts become texts of the row. */
static void add_key(cJSON *row, const char *key)
{
	while (*key) {
		size_t len = strcspn(key, "\n");
		char part[400];

		len = len < sizeof(part) ? len : sizeof(part) - 1;
		memcpy(part, key, len);
		part[len] = '\0';
		cJSON_AddItemToArray(row, cJSON_CreateString(part));
		key += len + (key[len] == '\n');
	}
}

static cJSON *begin_row(const struct gathered *g, const char *key)
{
	cJSON *row = cJSON_CreateArray();

	add_number(row, (uint64_t)g->at);
	add_key(row, key);
	return row;
}

static size_t add_verdicts(const struct gathered *g, struct db_batch *b)
{
	struct writer w = { .b = b, .sql = SQL_VERDICTS };

	hmap_foreach (&g->devices, it) {
		const struct tally *t = it.value;
		const uint64_t v[] = { t->dns_allowed, t->dns_blocked, t->dns_failed,
			t->web_allowed, t->web_blocked, t->web_unknown, t->web_failed, t->web_bytes,
			t->refused_packets, t->refused_bytes };
		cJSON *row = begin_row(g, it.key);

		for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
			add_number(row, v[i]);
		add_row(&w, row);
	}
	flush(&w);
	return w.all;
}

static size_t add_lists(const struct gathered *g, struct db_batch *b)
{
	struct writer w = { .b = b, .sql = SQL_LISTS };

	hmap_foreach (&g->lists, it) {
		cJSON *row = begin_row(g, it.key);

		add_number(row, *(const uint64_t *)it.value);
		add_row(&w, row);
	}
	flush(&w);
	return w.all;
}

static size_t add_domains(const struct gathered *g, struct db_batch *b)
{
	struct writer w = { .b = b, .sql = SQL_DOMAINS };

	hmap_foreach (&g->domains, it) {
		const struct domain_hits *d = it.value;
		cJSON *row = begin_row(g, it.key);

		add_number(row, d->hits);
		add_number(row, d->bytes);
		add_row(&w, row);
	}
	flush(&w);
	return w.all;
}

size_t statistics_add_writes(const struct gathered *g, struct db_batch *b)
{
	size_t n;

	db_add_text(b, "START TRANSACTION");
	n = add_verdicts(g, b);
	n += add_lists(g, b);
	n += add_domains(g, b);
	db_add_text(b, "COMMIT");
	return n;
}

/* ---- what is too old, or too much ---- */

static void add_old(struct statistics *s, struct db_batch *b, int64_t now)
{
	for (int64_t step = 0; step < STEPS; step++) {
		int64_t before = now - s->options.kept_s[step];
		int64_t domains = now - (s->options.domains_s < s->options.kept_s[step]
							? s->options.domains_s
							: s->options.kept_s[step]);

		db_add(b, "DELETE FROM statistics WHERE step = ? AND at < ? LIMIT ?", "iii", step,
			before, (int64_t)PURGE_ROWS);
		db_add(b, "DELETE FROM statistics_lists WHERE step = ? AND at < ? LIMIT ?", "iii",
			step, before, (int64_t)PURGE_ROWS);
		db_add(b, "DELETE FROM statistics_domains WHERE step = ? AND at < ? LIMIT ?", "iii",
			step, domains, (int64_t)PURGE_ROWS);
	}
}

static const char *const tables[] = { "statistics", "statistics_lists", "statistics_domains" };

void statistics_add_purge(struct statistics *s, struct db_batch *b, int64_t now)
{
	add_old(s, b, now);
	/* About: counting takes as long as there are rows. */
	for (size_t i = 0; i < 3; i++)
		s->counts[i] = db_add(b,
			"SELECT table_rows FROM information_schema.tables WHERE table_schema = "
			"DATABASE() AND table_name = ?",
			"s", tables[i]);
}

bool statistics_trim(struct statistics *s, struct db_batch *b)
{
	bool trims = false;
	static const char *const sql[] = { "DELETE FROM statistics ORDER BY step, at LIMIT ?",
		"DELETE FROM statistics_lists ORDER BY step, at LIMIT ?",
		"DELETE FROM statistics_domains ORDER BY step, at LIMIT ?" };

	s->is_trimmed = true;
	for (size_t i = 0; i < 3; i++) {
		const struct db_rows *rows = db_batch_rows(b, s->counts[i]);
		int64_t n = rows->n && db_cell(rows, 0, 0) ? atoll(db_cell(rows, 0, 0)) : 0;
		int64_t over = n - s->options.rows_max;

		if (over <= 0)
			continue;
		db_add(b, sql[i], "i", over < TRIM_ROWS ? over : (int64_t)TRIM_ROWS);
		trims = true;
	}
	return trims;
}
