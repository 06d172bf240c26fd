/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/db_op.h"

#include <errno.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { ABORT_TURNS = 16 }; /* calls the library may need to give an operation up */

int db_op_continue(struct db *db, int ready)
{
	switch (db->op) {
	case OP_CONNECT:
		return mysql_real_connect_cont(&db->connected, db->mysql, ready);
	case OP_TEXT:
		return mysql_real_query_cont(&db->ret, db->mysql, ready);
	case OP_TEXT_STORE:
		return mysql_store_result_cont(&db->result, db->mysql, ready);
	case OP_PREPARE:
		return mysql_stmt_prepare_cont(&db->ret, db->stmt, ready);
	case OP_EXECUTE:
		return mysql_stmt_execute_cont(&db->ret, db->stmt, ready);
	case OP_STORE:
		return mysql_stmt_store_result_cont(&db->ret, db->stmt, ready);
	case OP_NONE:
		break;
	}
	return 0;
}

void db_op_abort(struct db *db)
{
	int turns = 0;

	if (db->op == OP_NONE)
		return;
	shutdown(mysql_get_socket(db->mysql), SHUT_RDWR);
	while (db_op_continue(db, MYSQL_WAIT_TIMEOUT) && ++turns < ABORT_TURNS)
		;
	if (db->op == OP_TEXT_STORE && db->result)
		mysql_free_result(db->result);
	if (db->op == OP_PREPARE)
		mysql_stmt_close(db->stmt);
	db->result = NULL;
	db->stmt = NULL;
	db->op = OP_NONE;
}

int db_op_begin_text(struct db *db, const char *sql)
{
	db->op = OP_TEXT;
	return mysql_real_query_start(&db->ret, db->mysql, sql, strlen(sql));
}

static int begin_execute(struct db *db, const struct db_statement *s, int *err)
{
	*err = db_statement_bind(s, db->stmt);
	if (*err)
		return 0;
	db->op = OP_EXECUTE;
	return mysql_stmt_execute_start(&db->ret, db->stmt);
}

int db_op_begin_prepared(struct db *db, const struct db_statement *s, int *err)
{
	my_bool yes = 1;

	db->stmt = hmap_find_str(&db->prepared, s->sql);
	if (db->stmt)
		return begin_execute(db, s, err);
	db->stmt = mysql_stmt_init(db->mysql);
	if (!db->stmt) {
		*err = -ENOMEM;
		return 0;
	}
	/* Without it the lengths of the cells are not known before they are fetched. */
	mysql_stmt_attr_set(db->stmt, STMT_ATTR_UPDATE_MAX_LENGTH, &yes);
	db->op = OP_PREPARE;
	return mysql_stmt_prepare_start(&db->ret, db->stmt, s->sql, strlen(s->sql));
}

static int statement_error(struct db *db, bool of_stmt)
{
	unsigned number = of_stmt ? mysql_stmt_errno(db->stmt) : mysql_errno(db->mysql);
	const char *text = of_stmt ? mysql_stmt_error(db->stmt) : mysql_error(db->mysql);

	if (db->active) {
		snprintf(db->active->error, sizeof(db->active->error), "%s", text);
		db->active->is_deadlock = number == ER_LOCK_DEADLOCK;
	}
	return db_errno(number);
}

void db_op_follow(struct db *db, enum db_op ended, struct db_statement *s, int *wait, int *err)
{
	switch (ended) {
	case OP_TEXT:
		if (db->ret) {
			*err = statement_error(db, false);
		} else if (mysql_field_count(db->mysql)) {
			db->op = OP_TEXT_STORE;
			*wait = mysql_store_result_start(&db->result, db->mysql);
		}
		break;
	case OP_TEXT_STORE:
		if (db->result)
			mysql_free_result(db->result);
		else
			*err = statement_error(db, false);
		db->result = NULL;
		break;
	case OP_PREPARE:
		if (!db->ret && hmap_set_str(&db->prepared, s->sql, db->stmt))
			*err = -ENOMEM;
		else if (db->ret)
			*err = statement_error(db, true);
		if (*err)
			mysql_stmt_close(db->stmt);
		else
			*wait = begin_execute(db, s, err);
		break;
	case OP_EXECUTE:
		if (db->ret) {
			*err = statement_error(db, true);
		} else if (mysql_stmt_field_count(db->stmt)) {
			db->op = OP_STORE;
			*wait = mysql_stmt_store_result_start(&db->ret, db->stmt);
		}
		break;
	case OP_STORE:
		*err = db->ret ? statement_error(db, true) : db_statement_take_rows(s, db->stmt);
		mysql_stmt_free_result(db->stmt);
		break;
	case OP_CONNECT:
	case OP_NONE:
		break;
	}
}
