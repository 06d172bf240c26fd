/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/db_op.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	CONNECT_MS = 2000,
};

static void turn(struct db *db, int wait);
static void drop(struct db *db, int status);

static const char *state_text(enum db_state s)
{
	static const char *const texts[] = { "down", "connecting", "set-up", "ready", "closed" };

	return texts[s];
}

static void set_state(struct db *db, enum db_state s)
{
	if (db->state != s)
		log_debug("database state from=%s to=%s", state_text(db->state), state_text(s));
	db->state = s;
}

/* ---- memory ---- */

static void release(struct db *db)
{
	if (--db->handles || db->state != DB_CLOSED)
		return;
	hmap_fini(&db->prepared);
	db_hosts_fini(&db->hosts);
	free(db->name);
	free(db->user);
	if (db->password)
		explicit_bzero(db->password, strlen(db->password));
	free(db->password);
	free(db);
}

static void on_batch_closed(struct timer *t)
{
	struct db_batch *b = t->data;
	struct db *db = b->db;

	db_batch_free(b);
	release(db);
}

/* The batch is through; it may still be read until its timer is closed. */
static void finish(struct db_batch *b, int status)
{
	db_on_done on_done = b->on_done;

	list_remove(&b->node);
	b->is_over = true;
	b->on_done = NULL;
	if (on_done && status)
		on_done(b->arg, b, status);
	timer_close(&b->deadline, on_batch_closed);
}

/* ---- the poll handle ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	struct db *db = handle->data;

	free(handle);
	release(db);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct db *db = poll->data;
	int ready = 0;

	if (db->op == OP_NONE) {
		/* The server never speaks first: it hung up. */
		drop(db, -ENOTCONN);
		return;
	}
	if (status || (events & UV_READABLE))
		ready |= MYSQL_WAIT_READ;
	if (status || (events & UV_WRITABLE))
		ready |= MYSQL_WAIT_WRITE;
	turn(db, db_op_continue(db, ready));
}

static void close_poll(struct db *db)
{
	if (!db->poll)
		return;
	uv_close((uv_handle_t *)db->poll, on_poll_closed);
	db->poll = NULL;
}

/* 0 or -errno; wait are MYSQL_WAIT_… bits, READ alone for an idle connection. */
static int watch(struct db *db, int wait)
{
	int events = 0, err;

	if (!db->poll) {
		int fd = mysql_get_socket(db->mysql);

		db->poll = calloc(1, sizeof(*db->poll));
		if (!db->poll)
			return -ENOMEM;
		err = uv_poll_init(db->loop, db->poll, fd);
		if (err) {
			free(db->poll);
			db->poll = NULL;
			return err;
		}
		db->poll->data = db;
		db->handles++;
	}
	if (wait & MYSQL_WAIT_READ)
		events |= UV_READABLE;
	if (wait & MYSQL_WAIT_WRITE)
		events |= UV_WRITABLE;
	return uv_poll_start(db->poll, events, on_poll);
}

static void close_connection(struct db *db)
{
	if (!db->mysql)
		return;
	close_poll(db);
	db_op_abort(db);
	/* So that the farewell of mysql_close cannot wait for anybody. */
	if (mysql_get_socket(db->mysql) >= 0)
		shutdown(mysql_get_socket(db->mysql), SHUT_RDWR);
	mysql_close(db->mysql);
	db->mysql = NULL;
	hmap_foreach (&db->prepared, it)
		mysql_stmt_close(it.value);
	hmap_clear(&db->prepared);
}

static void fail_queue(struct list *queue, int status)
{
	while (!list_is_empty(queue))
		finish(container_of(queue->next, struct db_batch, node), status);
}

static void drop(struct db *db, int status)
{
	struct db_batch *b = db->active;
	bool was_up = db->state == DB_SETUP || db->state == DB_READY;
	const char *host = db->hosts.v[db->hosts.at].text;
	bool waits = true;

	if (db->state == DB_CLOSED || db->state == DB_DOWN)
		return;
	if (db->ops.is_quiet)
		log_debug("database connection lost reason=%s", strerror(-status));
	else if (db->state == DB_CONNECTING && db->backoff_ms == BACKOFF_MIN_MS)
		log_warning(
			"database does not answer host=%s error=%s", host, mysql_error(db->mysql));
	else if (db->state != DB_CONNECTING)
		log_warning("database connection lost host=%s reason=%s", host, strerror(-status));
	close_connection(db);
	waits = db_hosts_next(&db->hosts, db->state == DB_READY);
	set_state(db, DB_DOWN);
	timer_start(&db->timer, waits ? db->backoff_ms : 0, 0);
	if (waits)
		db->backoff_ms =
			db->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : db->backoff_ms * 2;
	db->active = NULL;
	if (b)
		finish(b, status);
	fail_queue(&db->setup_queue, -ENOTCONN);
	if (was_up && db->ops.on_down)
		db->ops.on_down(db->ops.arg);
}

/* ---- batches ---- */

/* The active batch is over; leaves a transaction behind only as a ROLLBACK under way. */
static int end_active(struct db *db, int status)
{
	struct db_batch *b = db->active;
	int wait = 0;

	db->active = NULL;
	finish(b, status);
	if (db->mysql && (db->mysql->server_status & SERVER_STATUS_IN_TRANS))
		wait = db_op_begin_text(db, "ROLLBACK");
	return wait;
}

static struct db_batch *take_next(struct db *db)
{
	struct list *queue = &db->setup_queue;
	struct db_batch *b;

	if (list_is_empty(queue) && db->state == DB_READY)
		queue = &db->queue;
	if (list_is_empty(queue))
		return NULL;
	b = container_of(queue->next, struct db_batch, node);
	list_remove(&b->node);
	return b;
}

/* Begins the next statement of the active batch, or ends the batch. */
static int next_statement(struct db *db)
{
	struct db_batch *b = db->active;
	int wait, err = b->no_memory ? -ENOMEM : 0;

	if (!err && b->next == b->n) {
		db_on_done on_done = b->on_done;

		/* The callback may close or reset the database; then it hears no more of it. */
		b->on_done = NULL;
		b->was_told = true;
		if (on_done)
			on_done(b->arg, b, 0);
		if (db->active != b)
			return 0;
		b->on_done = on_done;
		if (b->no_memory)
			err = -ENOMEM;
		else if (b->next == b->n)
			return end_active(db, 0);
	}
	if (!err) {
		struct db_statement *s = b->statements[b->next];

		wait = s->is_text ? db_op_begin_text(db, s->sql)
				  : db_op_begin_prepared(db, s, &err);
		if (!err)
			return wait;
	}
	return end_active(db, err);
}

/* An operation of the active batch, or a ROLLBACK after one, has ended. */
static int after_op(struct db *db, enum db_op ended)
{
	struct db_batch *b = db->active;
	struct db_statement *s = b ? b->statements[b->next] : NULL;
	int wait = 0, err = 0;

	db_op_follow(db, ended, s, &wait, &err);
	if (err == -ENOTCONN) {
		drop(db, -ENOTCONN);
		return 0;
	}
	if (db->op != OP_NONE || !b)
		return wait;
	if (err && db_batch_restart(b)) {
		log_debug("transaction begins anew times=%u", b->restarts);
		return 0;
	}
	if (err) {
		b->failed = s->label ? strdup(s->label) : NULL;
		return end_active(db, err);
	}
	b->next++;
	return 0;
}

static void on_node(void *arg, struct db_batch *b, int status)
{
	static const char *const texts[] = { "synced", "a donor or behind",
		"not in the primary component" };
	struct db *db = arg;

	if (status) {
		drop(db, status);
		return;
	}
	db_node_take(db_batch_rows(b, db->node_asked), &db->node);
	if (db_hosts_accepts(&db->hosts, &db->node)) {
		db->ops.on_connect(db->ops.arg);
		return;
	}
	if (!db->ops.is_quiet)
		log_notice("database node is not used host=%s it is=%s",
			db->hosts.v[db->hosts.at].text, texts[db->node.fitness]);
	drop(db, -EHOSTDOWN);
}

/* Before anything else: is it a node that may be used? */
static void ask_node(struct db *db)
{
	struct db_batch *b = db_batch_new();

	if (!b) {
		drop(db, -ENOMEM);
		return;
	}
	db->node_asked = db_node_add(b);
	db_submit_setup(db, b, CONNECT_MS, on_node, db);
}

static void after_connect(struct db *db)
{
	if (!db->connected) {
		drop(db, -ENOTCONN);
		return;
	}
	timer_stop(&db->timer);
	set_state(db, DB_SETUP);
	if (!db->ops.is_quiet)
		log_info("database connected host=%s", db->hosts.v[db->hosts.at].text);
	ask_node(db);
}

static bool is_up(const struct db *db)
{
	return db->state == DB_CONNECTING || db->state == DB_SETUP || db->state == DB_READY;
}

/* Goes on until the library waits for the server or there is nothing to do. wait: what the
 * operation under way waits for, 0 when it is through or there is none. */
static void turn(struct db *db, int wait)
{
	db->is_turning = true;
	while (is_up(db) && !wait) {
		enum db_op ended = db->op;

		db->op = OP_NONE;
		if (ended == OP_CONNECT)
			after_connect(db);
		else if (ended != OP_NONE)
			wait = after_op(db, ended);
		else if (db->active)
			wait = next_statement(db);
		else if (!(db->active = take_next(db)))
			break;
	}
	db->is_turning = false;
	if (is_up(db) && watch(db, wait ? wait : MYSQL_WAIT_READ))
		drop(db, -ENOMEM);
}

static void kick(struct db *db)
{
	if (!db->is_turning && is_up(db) && db->op == OP_NONE)
		turn(db, 0);
}

static void on_deadline(struct timer *t)
{
	struct db_batch *b = t->data;
	struct db *db = b->db;

	if (b->is_over)
		return;
	if (b == db->active) {
		drop(db, -ETIMEDOUT);
		return;
	}
	finish(b, -ETIMEDOUT);
	/* Nobody else watches over a ROLLBACK that does not end. */
	if (db->op != OP_NONE && !db->active && db->state != DB_CONNECTING)
		drop(db, -ETIMEDOUT);
}

static void submit(struct db *db, struct list *queue, struct db_batch *b, uint32_t deadline_ms)
{
	b->db = db;
	b->first = b->n;
	db->handles++;
	timer_init(db->loop, &b->deadline, on_deadline, b);
	timer_start(&b->deadline, deadline_ms, 0);
	list_add(queue, &b->node);
	if (db->state == DB_CLOSED)
		finish(b, -ECANCELED);
	else
		kick(db);
}

void db_submit(
	struct db *db, struct db_batch *b, uint32_t deadline_ms, db_on_done on_done, void *arg)
{
	b->on_done = on_done;
	b->arg = arg;
	submit(db, &db->queue, b, deadline_ms);
}

void db_submit_setup(
	struct db *db, struct db_batch *b, uint32_t deadline_ms, db_on_done on_done, void *arg)
{
	b->on_done = on_done;
	b->arg = arg;
	submit(db, &db->setup_queue, b, deadline_ms);
}

/* ---- life ---- */

static void start_connect(struct db *db)
{
	const struct db_host *host = &db->hosts.v[db->hosts.at];
	my_bool no = 0;
	unsigned no_files = 0;
	int wait;

	db->mysql = mysql_init(NULL);
	if (!db->mysql) {
		timer_start(&db->timer, BACKOFF_MAX_MS, 0);
		return;
	}
	mysql_options(db->mysql, MYSQL_OPT_NONBLOCK, 0);
	mysql_options(db->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(db->mysql, MYSQL_OPT_RECONNECT, &no);
	mysql_options(db->mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
	set_state(db, DB_CONNECTING);
	timer_start(&db->timer, CONNECT_MS, 0);
	db->op = OP_CONNECT;
	wait = mysql_real_connect_start(&db->connected, db->mysql, host->address, db->user,
		db->password, db->name, host->port, host->socket, 0);
	turn(db, wait);
}

static void on_timer(struct timer *t)
{
	struct db *db = t->data;

	if (db->state == DB_CONNECTING)
		drop(db, -ETIMEDOUT);
	else if (db->state == DB_DOWN)
		start_connect(db);
}

static void on_db_timer_closed(struct timer *t)
{
	release(t->data);
}

struct db *db_open(uv_loop_t *loop, const struct db_options *options)
{
	struct db *db = calloc(1, sizeof(*db));
	int err;

	if (!db)
		return NULL;
	db->loop = loop;
	db->ops = *options;
	db->backoff_ms = BACKOFF_MIN_MS;
	db->ops.hosts = NULL;
	err = db_hosts_init(&db->hosts, options->hosts, options->socket);
	db->name = strdup(options->name);
	db->user = strdup(options->user);
	db->password = options->password ? strdup(options->password) : NULL;
	list_init(&db->queue);
	list_init(&db->setup_queue);
	hmap_init(&db->prepared, NULL);
	timer_init(loop, &db->timer, on_timer, db);
	db->handles = 1;
	if (err || !db->name || !db->user || (options->password && !db->password)) {
		db_close(db);
		return NULL;
	}
	timer_start(&db->timer, 0, 0);
	return db;
}

void db_close(struct db *db)
{
	struct db_batch *b = db->active;

	if (db->state == DB_CLOSED)
		return;
	close_connection(db);
	set_state(db, DB_CLOSED);
	db->active = NULL;
	if (b)
		finish(b, -ECANCELED);
	fail_queue(&db->setup_queue, -ECANCELED);
	fail_queue(&db->queue, -ECANCELED);
	timer_close(&db->timer, on_db_timer_closed);
}

void db_library_end(void)
{
	mysql_library_end();
}

void db_reset(struct db *db)
{
	if (db)
		drop(db, -ECANCELED);
}

void db_set_ready(struct db *db)
{
	if (db->state != DB_SETUP)
		return;
	set_state(db, DB_READY);
	db->backoff_ms = BACKOFF_MIN_MS;
	if (!db->ops.is_quiet)
		log_notice("database ready");
	kick(db);
}

bool db_is_ready(const struct db *db)
{
	return db->state == DB_READY;
}

bool db_is_clustered(const struct db *db)
{
	return db->node.is_clustered;
}
