/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/*
 * One connection to MariaDB on the event loop, over libmariadb's non-blocking API. It reconnects
 * for ever (100 ms, doubling to 5 s). Work is given as batches: statements that run one after
 * another on the connection, undisturbed by other batches. A batch whose deadline passes while the
 * server is at work on it costs the connection.
 *
 * With several hosts the first one that is fit is used until it is lost; then they are tried again
 * from the first. A node of a Galera cluster is fit when it is in the primary component and synced;
 * one that leaves it refuses statements, which is as a lost connection.
 *
 * A batch that begins with START TRANSACTION and is given up by the server (a deadlock; Galera: it
 * was in conflict with another node's) is run again, up to twice, if that has not committed yet and
 * its callback was not called yet or db_batch_set_restart was.
 */
struct db;
struct db_batch;

struct db_options {
	const struct conf_strings *hosts; /* as db_host_parse takes them; NULL or empty: */
	const char *socket;		  /* path */
	const char *name;		  /* database */
	const char *user;
	const char *password; /* NULL = the socket's user is enough */
	bool is_quiet;	      /* another connection's log says enough */
	/* The connection stands: submit set-up batches (db_submit_setup), then db_set_ready. */
	void (*on_connect)(void *arg);
	/* It is gone (also after a failed attempt). May be NULL. */
	void (*on_down)(void *arg);
	void *arg;
};

/* Copies the options' strings; connects in the background. NULL without memory. */
struct db *db_open(uv_loop_t *loop, const struct db_options *options);
/* Batches end with -ECANCELED. Frees itself in the last close callback. */
void db_close(struct db *db);
/* At the end of the program, after the loop has ended. */
void db_library_end(void);
/* Set-up is done: batches of db_submit may run. */
void db_set_ready(struct db *db);
bool db_is_ready(const struct db *db);
/* Is the server one of several that have the same (Galera)? Known from on_connect on. */
bool db_is_clustered(const struct db *db);
/* Ends the connection and starts over; NULL, as for whoever has closed it, is allowed. */
void db_reset(struct db *db);

/* Rows of one statement. Cells are zero-terminated; NULL is NULL. */
struct db_rows {
	size_t n, columns;
	char **cells;
	size_t *lens;
};
static inline const char *db_cell(const struct db_rows *r, size_t row, size_t column)
{
	return r->cells[row * r->columns + column];
}
static inline size_t db_cell_len(const struct db_rows *r, size_t row, size_t column)
{
	return r->lens[row * r->columns + column];
}

/*
 * Called when all statements are through (0) or one failed (the others are not run):
 *   -EEXIST a unique key is taken, -EAGAIN a deadlock or a lock that was not free in time, -ENOENT
 * a foreign key points nowhere, -EINVAL data that the server refuses, -ENOTCONN, -ETIMEDOUT,
 *   -ECANCELED, -ENOMEM.
 * With status 0 it may add statements: they run next, with the connection still held, and it is
 * called again, unless it closed or reset the database itself. When it has added none the batch is
 * over and freed; a transaction that is still open is rolled back.
 */
typedef void (*db_on_done)(void *arg, struct db_batch *b, int status);

struct db_batch *db_batch_new(void); /* NULL without memory */
/* One that was not submitted. */
void db_batch_drop(struct db_batch *b);
/*
 * Adds a prepared statement; sql must be a constant (statements are kept per connection by their
 * text). One letter per parameter: s const char * (NULL = NULL), i int64_t, b const void *, size_t.
 * All copied. Returns the statement's number for db_batch_rows.
 */
size_t db_add(struct db_batch *b, const char *sql, const char *types, ...);
/* A statement without parameters and rows, sent as text (DDL, BEGIN, COMMIT); copied. */
size_t db_add_text(struct db_batch *b, const char *sql);
/* What the statements added from now on are about, for db_batch_failed; copied. */
void db_label(struct db_batch *b, const char *label);
/* Valid until the batch is over. */
const struct db_rows *db_batch_rows(const struct db_batch *b, size_t statement);
/* Label of the statement that failed, "" when none. */
const char *db_batch_failed(const struct db_batch *b);
/* The server's message; may hold data, so only for the log at debug. */
const char *db_batch_error(const struct db_batch *b);

/* What to do when the batch begins anew: forget what it gave, its statements beyond those that it
 * was submitted with are gone. arg: that of db_submit. */
void db_batch_set_restart(struct db_batch *b, void (*on_restart)(void *arg));

/* Takes the batch over. deadline_ms counts from now, waiting for the connection included. */
void db_submit(
	struct db *db, struct db_batch *b, uint32_t deadline_ms, db_on_done on_done, void *arg);
/* The same for set-up, which runs before db_set_ready. */
void db_submit_setup(
	struct db *db, struct db_batch *b, uint32_t deadline_ms, db_on_done on_done, void *arg);
