/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/schema.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MIGRATE_MS = 60000 };

/* The text of one file of apid/schema, zero-terminated. */
#define SCHEMA_FILE(symbol, file)                                                                  \
	__asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"apid/schema/" file                  \
		"\"\n.byte 0\n.popsection\n");                                                     \
	extern const char symbol[] __attribute__((visibility("hidden")))

SCHEMA_FILE(schema_001_base, "001_base.sql");
SCHEMA_FILE(schema_002_accounts, "002_accounts.sql");
SCHEMA_FILE(schema_003_publisher, "003_publisher.sql");
SCHEMA_FILE(schema_004_appeals, "004_appeals.sql");
SCHEMA_FILE(schema_005_statistics, "005_statistics.sql");
SCHEMA_FILE(schema_006_belongings, "006_belongings.sql");
SCHEMA_FILE(schema_007_references, "007_references.sql");

static const struct migration {
	int version;
	const char *text;
} migrations[] = {
	{ 1, schema_001_base },
	{ 2, schema_002_accounts },
	{ 3, schema_003_publisher },
	{ 4, schema_004_appeals },
	{ 5, schema_005_statistics },
	{ 6, schema_006_belongings },
	{ 7, schema_007_references },
};
static const size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);

struct migrate {
	void (*on_done)(void *arg, int status);
	void *arg;
	struct db *db;
	size_t lock, version, held; /* statements */
	enum { MIGRATE_LOOK, MIGRATE_LOCK, MIGRATE_WRITE } turn;
};

#define NOW_MS "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"

_Static_assert(MIGRATE_MS == 60000, "what schema_lock expires after");

/* The statements of a file: each ends with ";\n". */
static void add_statements(struct db_batch *b, const char *text)
{
	const char *end;

	for (; (end = strstr(text, ";\n")); text = end + 2) {
		char *sql = strndup(text, (size_t)(end - text));

		if (sql)
			db_add_text(b, sql);
		free(sql);
	}
}

static int current_version(const struct db_rows *rows)
{
	return rows->n && db_cell(rows, 0, 0) ? atoi(db_cell(rows, 0, 0)) : 0;
}

static void add_migrations(struct db_batch *b, int version)
{
	for (size_t i = 0; i < migration_count; i++) {
		const struct migration *m = &migrations[i];

		if (m->version <= version)
			continue;
		log_notice("schema migration version=%d", m->version);
		add_statements(b, m->text);
		db_add(b, "INSERT INTO schema_versions (version) VALUES (?)", "i",
			(int64_t)m->version);
	}
	if (version > migrations[migration_count - 1].version)
		log_notice("schema is of a newer program version=%d", version);
}

/* GET_LOCK is of one server. Who migrates a cluster has this row besides, for as long as it may
 * take at most; the version is read again under it. */
static void add_cluster_lock(struct migrate *m, struct db_batch *b)
{
	db_add_text(b,
		"CREATE TABLE IF NOT EXISTS schema_lock (one TINYINT NOT NULL PRIMARY KEY, holder "
		"CHAR(36) NOT NULL, expires_at BIGINT NOT NULL)");
	db_add_text(b, "INSERT IGNORE INTO schema_lock VALUES (1, '', 0)");
	db_add_text(b, "SET @migrator = UUID()");
	db_add_text(b, "UPDATE schema_lock SET holder = @migrator, expires_at = " NOW_MS
		       " + 60000 WHERE one = 1 AND expires_at < " NOW_MS);
	m->held = db_add(
		b, "SELECT COUNT(*) FROM schema_lock WHERE one = 1 AND holder = @migrator", "");
	m->version = db_add(b, "SELECT MAX(version) FROM schema_versions", "");
}

static bool is_one(const struct db_rows *rows)
{
	return rows->n && db_cell(rows, 0, 0) && !strcmp(db_cell(rows, 0, 0), "1");
}

static int step(struct migrate *m, struct db_batch *b)
{
	int version = current_version(db_batch_rows(b, m->version));

	if (!is_one(db_batch_rows(b, m->turn == MIGRATE_LOOK ? m->lock : m->held)))
		return -EAGAIN;
	if (m->turn == MIGRATE_LOOK && db_is_clustered(m->db) &&
		version < migrations[migration_count - 1].version) {
		m->turn = MIGRATE_LOCK;
		add_cluster_lock(m, b);
		return 0;
	}
	add_migrations(b, version);
	/* Beside that there is an answer then even if there is nothing to migrate. */
	db_add_text(b, m->turn == MIGRATE_LOCK
			       ? "UPDATE schema_lock SET expires_at = 0 WHERE one = 1 AND "
				 "holder = @migrator"
			       : "DO 0");
	m->turn = MIGRATE_WRITE;
	return 0;
}

static void on_batch(void *arg, struct db_batch *b, int status)
{
	struct migrate *m = arg;

	if (!status && m->turn != MIGRATE_WRITE) {
		status = step(m, b);
		if (!status)
			return;
		log_notice("another process migrates the database");
	} else if (status)
		log_error("schema migration failed error=%s", db_batch_error(b));
	m->on_done(m->arg, status);
	free(m);
}

void schema_session(struct db_batch *b, const struct db *db)
{
	/* Galera: what was committed on any node before is seen, and what begins later is in
	 * conflict with less. */
	if (db_is_clustered(db))
		db_add_text(b, "SET SESSION wsrep_sync_wait = 1");
	db_add_text(b, "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
		       "innodb_lock_wait_timeout = 2, idle_transaction_timeout = 5, "
		       "time_zone = '+00:00'");
}

int schema_migrate(struct db *db, void (*on_done)(void *arg, int status), void *arg)
{
	struct db_batch *b = db_batch_new();
	struct migrate *m = calloc(1, sizeof(*m));

	if (!b || !m) {
		free(m);
		return -ENOMEM;
	}
	m->on_done = on_done;
	m->arg = arg;
	schema_session(b, db);
	m->db = db;
	m->lock = db_add(b, "SELECT GET_LOCK(CONCAT('culvert.', DATABASE()), 30)", "");
	db_add_text(
		b, "CREATE TABLE IF NOT EXISTS schema_versions (version INT NOT NULL PRIMARY KEY)");
	m->version = db_add(b, "SELECT MAX(version) FROM schema_versions", "");
	db_submit_setup(db, b, MIGRATE_MS, on_batch, m);
	return 0;
}

void schema_unlock(struct db_batch *b)
{
	db_add(b, "SELECT RELEASE_LOCK(CONCAT('culvert.', DATABASE()))", "");
}
