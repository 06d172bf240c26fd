/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"
#include "common/list.h"
#include "common/timer.h"

/* The client library declares a list_add of its own, which nobody here calls. */
#define list_add mysql_list_add
#include <mysql.h>
#undef list_add

/* Inside of a batch; for db*.c only. */
struct db_param {
	char *data; /* NULL = NULL */
	unsigned long len;
	bool is_binary;
};

struct db_statement {
	char *sql;
	char *label;
	bool is_text;
	struct db_param *params;
	size_t n_params;
	struct db_rows rows;
};

struct db_batch {
	struct list node;		  /* in the queue, or alone while it runs */
	struct db_statement **statements; /* each stays where it is: its rows are in use */
	size_t n, cap;
	size_t next;  /* the statement to run */
	size_t first; /* how many it was submitted with */
	unsigned restarts;
	bool was_told;	  /* on_done was called */
	bool is_deadlock; /* what the last error was */
	void (*on_restart)(void *arg);
	char *label;
	char *failed;
	char error[256];
	int no_memory;
	bool started; /* the server has been asked */
	bool is_over;
	db_on_done on_done; /* NULL: nobody cares */
	void *arg;
	struct db *db;
	struct timer deadline;
};

void db_batch_free(struct db_batch *b);
/* After a deadlock: begins anew if that is right. False: it has failed. */
bool db_batch_restart(struct db_batch *b);
/* Binds the parameters and leaves them bound until the next call. 0 or -errno. */
int db_statement_bind(const struct db_statement *s, MYSQL_STMT *stmt);
/* Takes the stored result of stmt into s->rows. 0 or -errno. */
int db_statement_take_rows(struct db_statement *s, MYSQL_STMT *stmt);
/* An error number of server or client library as -errno. */
int db_errno(unsigned number);
