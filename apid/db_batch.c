/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/db_batch.h"

#include <errmsg.h>
#include <errno.h>
#include <mysqld_error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_MAX = 12, CELL_MAX = 16 << 20, RESTARTS_MAX = 2 };

int db_errno(unsigned number)
{
	switch (number) {
	case ER_DUP_ENTRY:
		return -EEXIST;
	case ER_LOCK_DEADLOCK:
	case ER_LOCK_WAIT_TIMEOUT:
		return -EAGAIN;
	case ER_NO_REFERENCED_ROW_2:
		return -ENOENT;
	case ER_BAD_NULL_ERROR:
	case ER_DATA_TOO_LONG:
	case ER_WARN_DATA_OUT_OF_RANGE:
	case ER_TRUNCATED_WRONG_VALUE:
	case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
	case ER_CONSTRAINT_FAILED:
		return -EINVAL;
	case CR_OUT_OF_MEMORY:
		return -ENOMEM;
	case ER_UNKNOWN_COM_ERROR:   /* Galera: not in the primary component */
	case ER_ERROR_DURING_COMMIT: /* Galera: it was left meanwhile */
		return -ENOTCONN;
	default:
		return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR ? -ENOTCONN : -EIO;
	}
}

struct db_batch *db_batch_new(void)
{
	struct db_batch *b = calloc(1, sizeof(*b));

	if (b)
		list_init(&b->node);
	return b;
}

static void rows_fini(struct db_rows *rows)
{
	for (size_t i = 0; rows->cells && i < rows->n * rows->columns; i++)
		free(rows->cells[i]);
	free(rows->cells);
	free(rows->lens);
	*rows = (struct db_rows){ 0 };
}

static void statement_free(struct db_statement *s)
{
	for (size_t i = 0; i < s->n_params; i++) {
		if (s->params[i].data)
			explicit_bzero(s->params[i].data, s->params[i].len);
		free(s->params[i].data);
	}
	free(s->params);
	free(s->sql);
	free(s->label);
	rows_fini(&s->rows);
	free(s);
}

void db_batch_free(struct db_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		statement_free(b->statements[i]);
	free(b->statements);
	free(b->label);
	free(b->failed);
	free(b);
}

void db_batch_set_restart(struct db_batch *b, void (*on_restart)(void *arg))
{
	b->on_restart = on_restart;
}

static bool has_committed(const struct db_batch *b)
{
	for (size_t i = 0; i < b->next; i++) {
		if (!strcmp(b->statements[i]->sql, "COMMIT"))
			return true;
	}
	return false;
}

bool db_batch_restart(struct db_batch *b)
{
	if (!b->is_deadlock || b->restarts >= RESTARTS_MAX || !b->first ||
		strcmp(b->statements[0]->sql, "START TRANSACTION") != 0 ||
		(b->was_told && !b->on_restart) || has_committed(b))
		return false;
	while (b->n > b->first)
		statement_free(b->statements[--b->n]);
	for (size_t i = 0; i < b->n; i++)
		rows_fini(&b->statements[i]->rows);
	b->next = 0;
	b->restarts++;
	b->is_deadlock = false;
	if (b->was_told)
		b->on_restart(b->arg);
	b->was_told = false;
	return true;
}

void db_batch_drop(struct db_batch *b)
{
	db_batch_free(b);
}

static struct db_statement *add_statement(struct db_batch *b, const char *sql)
{
	struct db_statement *s;

	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 16;
		struct db_statement **more = realloc(b->statements, cap * sizeof(*more));

		if (!more) {
			b->no_memory = 1;
			return NULL;
		}
		b->statements = more;
		b->cap = cap;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		b->no_memory = 1;
		return NULL;
	}
	s->sql = strdup(sql);
	s->label = b->label ? strdup(b->label) : NULL;
	if (!s->sql || (b->label && !s->label)) {
		statement_free(s);
		b->no_memory = 1;
		return NULL;
	}
	b->statements[b->n++] = s;
	return s;
}

static int set_param(struct db_param *p, const void *data, size_t len)
{
	p->data = malloc(len + 1);
	if (!p->data)
		return -ENOMEM;
	memcpy(p->data, data, len);
	p->data[len] = '\0';
	p->len = len;
	return 0;
}

static int next_param(struct db_param *p, char type, va_list *ap)
{
	char number[24];
	const void *data;

	switch (type) {
	case 's':
		data = va_arg(*ap, const char *);
		return data ? set_param(p, data, strlen(data)) : 0;
	case 'i':
		snprintf(number, sizeof(number), "%lld", (long long)va_arg(*ap, int64_t));
		return set_param(p, number, strlen(number));
	default:
		p->is_binary = true;
		data = va_arg(*ap, const void *);
		return set_param(p, data, va_arg(*ap, size_t));
	}
}

size_t db_add(struct db_batch *b, const char *sql, const char *types, ...)
{
	struct db_statement *s = add_statement(b, sql);
	size_t n = strlen(types);
	va_list ap;

	if (!s)
		return 0;
	s->params = calloc(n + 1, sizeof(*s->params));
	if (!s->params) {
		b->no_memory = 1;
		return 0;
	}
	va_start(ap, types);
	for (; s->n_params < n; s->n_params++) {
		if (next_param(&s->params[s->n_params], types[s->n_params], &ap)) {
			b->no_memory = 1;
			break;
		}
	}
	va_end(ap);
	return b->n - 1;
}

size_t db_add_text(struct db_batch *b, const char *sql)
{
	struct db_statement *s = add_statement(b, sql);

	if (s)
		s->is_text = true;
	return b->n ? b->n - 1 : 0;
}

void db_label(struct db_batch *b, const char *label)
{
	free(b->label);
	b->label = strdup(label);
	if (!b->label)
		b->no_memory = 1;
}

const struct db_rows *db_batch_rows(const struct db_batch *b, size_t statement)
{
	return &b->statements[statement]->rows;
}

const char *db_batch_failed(const struct db_batch *b)
{
	return b->failed ? b->failed : "";
}

const char *db_batch_error(const struct db_batch *b)
{
	return b->error;
}

int db_statement_bind(const struct db_statement *s, MYSQL_STMT *stmt)
{
	MYSQL_BIND binds[PARAMS_MAX];

	if (s->n_params > PARAMS_MAX || mysql_stmt_param_count(stmt) != s->n_params)
		return -EINVAL;
	memset(binds, 0, sizeof(binds));
	for (size_t i = 0; i < s->n_params; i++) {
		binds[i].buffer_type = s->params[i].is_binary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
		binds[i].buffer = s->params[i].data;
		binds[i].buffer_length = s->params[i].len;
		binds[i].length = &s->params[i].len;
		if (!s->params[i].data)
			binds[i].buffer_type = MYSQL_TYPE_NULL;
	}
	return s->n_params && mysql_stmt_bind_param(stmt, binds) ? -EINVAL : 0;
}

/* One row into the next cells; the buffers of binds hold it. */
static int take_row(struct db_rows *rows, const MYSQL_BIND *binds)
{
	size_t base = rows->n * rows->columns;

	for (size_t i = 0; i < rows->columns; i++) {
		size_t len = *binds[i].length;

		rows->cells[base + i] = NULL;
		if (*binds[i].is_null)
			continue;
		rows->cells[base + i] = malloc(len + 1);
		if (!rows->cells[base + i]) {
			while (i--)
				free(rows->cells[base + i]);
			return -ENOMEM;
		}
		memcpy(rows->cells[base + i], binds[i].buffer, len);
		rows->cells[base + i][len] = '\0';
		rows->lens[base + i] = len;
	}
	rows->n++;
	return 0;
}

struct column {
	char *buffer;
	unsigned long len;
	my_bool is_null, error;
};

static int fetch_rows(struct db_rows *rows, MYSQL_STMT *stmt, const MYSQL_FIELD *fields,
	MYSQL_BIND *binds, struct column *columns)
{
	int r;

	for (size_t i = 0; i < rows->columns; i++) {
		if (fields[i].max_length > CELL_MAX)
			return -EMSGSIZE;
		columns[i].buffer = malloc(fields[i].max_length + 1);
		if (!columns[i].buffer)
			return -ENOMEM;
		binds[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
			.buffer = columns[i].buffer,
			.buffer_length = fields[i].max_length + 1,
			.length = &columns[i].len,
			.is_null = &columns[i].is_null,
			.error = &columns[i].error };
	}
	if (mysql_stmt_bind_result(stmt, binds))
		return -EINVAL;
	while (!(r = mysql_stmt_fetch(stmt))) {
		int err = take_row(rows, binds);

		if (err)
			return err;
	}
	return r == MYSQL_NO_DATA ? 0 : -EINVAL;
}

int db_statement_take_rows(struct db_statement *s, MYSQL_STMT *stmt)
{
	size_t n = mysql_stmt_num_rows(stmt), columns = mysql_stmt_field_count(stmt);
	MYSQL_RES *meta = mysql_stmt_result_metadata(stmt);
	MYSQL_BIND *binds = calloc(columns, sizeof(*binds));
	struct column *buffers = calloc(columns, sizeof(*buffers));
	int r = -ENOMEM;

	s->rows.columns = columns;
	s->rows.cells = calloc(n * columns + 1, sizeof(*s->rows.cells));
	s->rows.lens = calloc(n * columns + 1, sizeof(*s->rows.lens));
	if (meta && binds && buffers && s->rows.cells && s->rows.lens)
		r = fetch_rows(&s->rows, stmt, mysql_fetch_fields(meta), binds, buffers);
	for (size_t i = 0; buffers && i < columns; i++)
		free(buffers[i].buffer);
	free(buffers);
	free(binds);
	if (meta)
		mysql_free_result(meta);
	return r;
}
