/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db_batch.h"
#include "apid/db_host.h"
#include "common/hmap.h"

/*
 * The connection and the operations of the client library on it; for db*.c only. An operation
 * returns the MYSQL_WAIT_… bits it waits for, 0 when it is through.
 */
enum db_state { DB_DOWN, DB_CONNECTING, DB_SETUP, DB_READY, DB_CLOSED };
/* What the library is doing; it is continued when its socket is ready. */
enum db_op { OP_NONE, OP_CONNECT, OP_TEXT, OP_TEXT_STORE, OP_PREPARE, OP_EXECUTE, OP_STORE };

struct db {
	uv_loop_t *loop;
	struct db_hosts hosts;
	struct db_node node; /* what the one at hand says of itself */
	size_t node_asked;   /* statement */
	char *name, *user, *password;
	struct db_options ops; /* its callbacks */
	enum db_state state;
	enum db_op op;
	uint64_t backoff_ms;
	unsigned handles; /* open: timers of db and batches, poll */

	MYSQL *mysql; /* NULL when down */
	uv_poll_t *poll;
	struct hmap prepared; /* SQL text → MYSQL_STMT */
	MYSQL_STMT *stmt;     /* of the operation */
	int ret;
	MYSQL *connected;
	MYSQL_RES *result;

	struct list queue, setup_queue;
	struct db_batch *active;
	bool is_turning;    /* in turn(): what is submitted now is found by it */
	struct timer timer; /* down: connect again; connecting: give up */
};

int db_op_continue(struct db *db, int ready);
/* Makes the library end what it is doing, with an error, without waiting for the server. */
void db_op_abort(struct db *db);
int db_op_begin_text(struct db *db, const char *sql);
/* *err is set when nothing could be begun. */
int db_op_begin_prepared(struct db *db, const struct db_statement *s, int *err);
/* What follows an operation of statement s that ended: *wait as above, *err when the statement
 * failed. Nothing begun and no error: the statement is through. */
void db_op_follow(struct db *db, enum db_op ended, struct db_statement *s, int *wait, int *err);
