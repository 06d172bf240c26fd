/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_conn.h"
#include "common/addr.h"
#include "common/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS		 500
#define DEADLINE_TICKS	 4
#define PING_TICKS	 4
#define TRUST_TICKS	 10
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS	 2000
#define READ_SIZE	 65536
#define REPLY_MAX	 (128u << 20)
#define ELEMENTS_MAX	 (4u << 20) /* of all arrays of a reply */
#define MAX_ARGS	 64

/* One attempt: the socket and the parser's state. Freed in its close callback. */
struct bus_link {
	struct bus_conn *conn; /* NULL once given up */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	};
	uv_connect_t connect;
	redisReader *reader;
	redisReplyObjectFunctions objects, hiredis; /* ours, which ask hiredis' own */
	size_t unanswered;			    /* bytes since the last whole reply */
	size_t elements;			    /* announced since then */
	struct bus_conn *owner;			    /* for the count of handles */
	char chunk[READ_SIZE];
};

struct command {
	struct list node;
	void (*on_reply)(void *arg, const redisReply *r);
	void *arg;
};

struct write {
	uv_write_t req;
	struct bus_link *link;
	char *data;
	size_t len;
};

#if HIREDIS_MAJOR < 1
#define ELEMENTS int
#else
#define ELEMENTS size_t
#endif

/* hiredis makes an array as long as it is announced, before there is any of it. */
static void *create_array(const redisReadTask *task, ELEMENTS n)
{
	struct bus_link *l = task->privdata;

	l->elements += (size_t)n;
	return l->elements > ELEMENTS_MAX ? NULL : l->hiredis.createArray(task, n);
}

static int open_reader(struct bus_link *l)
{
	l->reader = redisReaderCreate();
	if (!l->reader)
		return -ENOMEM;
	l->objects = l->hiredis = *l->reader->fn;
	l->objects.createArray = create_array;
	l->reader->fn = &l->objects;
	l->reader->privdata = l;
	return 0;
}

static void on_timer_closed(struct timer *t)
{
	struct bus_conn *c = t->data;

	if (--c->handles == 0)
		c->ops->on_closed(c);
}

static void on_link_closed(uv_handle_t *handle)
{
	struct bus_link *l = handle->data;
	struct bus_conn *c = l->owner;

	redisReaderFree(l->reader);
	free(l);
	if (--c->handles == 0 && c->closing)
		c->ops->on_closed(c);
}

static void schedule_retry(struct bus_conn *c)
{
	unsigned jitter;

	uv_random(NULL, NULL, &jitter, sizeof(jitter), 0, NULL);
	timer_start(&c->retry, c->backoff_ms / 2 + jitter % (c->backoff_ms + 1), 0);
	c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

static void drop_pending(struct bus_conn *c)
{
	list_foreach_safe (&c->pending, it) {
		struct command *cmd = container_of(it, struct command, node);

		list_remove(it);
		c->pending_count--;
		if (cmd->on_reply)
			cmd->on_reply(cmd->arg, NULL);
		free(cmd);
	}
}

/* The one way a link ends; a new attempt follows unless the connection closes. */
static void give_up(struct bus_conn *c, const char *why)
{
	struct bus_link *l = c->link;
	bool was_up = c->up;

	if (!l)
		return;
	c->link = NULL;
	c->up = c->pinging = false;
	l->conn = NULL;
	timer_stop(&c->watchdog);
	uv_close(&l->handle, on_link_closed);
	if (!c->closing) {
		c->failures++;
		if ((was_up && !c->is_suspect) || !c->reported)
			log_warning("bus: connection lost name=%s why=%s", c->conf.name, why);
		c->reported = true;
		schedule_retry(c);
	}
	drop_pending(c);
	if (was_up)
		c->ops->on_down(c);
}

/* What it said is likely to be said again. */
static void distrust(struct bus_conn *c, const char *why)
{
	bool was_up = c->up;

	give_up(c, why);
	c->is_suspect |= was_up;
}

static void on_write(uv_write_t *req, int status)
{
	struct write *w = container_of(req, struct write, req);

	if (status < 0 && w->link->conn)
		give_up(w->link->conn, uv_strerror(status));
	explicit_bzero(w->data, w->len); /* may hold a password or keys */
	free(w->data);
	free(w);
}

static int write_bytes(struct bus_conn *c, const char *data, size_t len)
{
	struct write *w = malloc(sizeof(*w));
	uv_buf_t b;
	int err;

	if (!w)
		return -ENOMEM;
	w->link = c->link;
	w->len = len;
	w->data = malloc(len ? len : 1);
	if (!w->data) {
		free(w);
		return -ENOMEM;
	}
	memcpy(w->data, data, len);
	b = uv_buf_init(w->data, (unsigned)len);
	err = uv_write(&w->req, &c->link->stream, &b, 1, on_write);
	if (err < 0) {
		free(w->data);
		free(w);
	}
	return err;
}

static int enqueue(struct bus_conn *c, void (*on_reply)(void *arg, const redisReply *r), void *arg,
	int argc, const char *const *argv, const size_t *lens)
{
	struct command *cmd = malloc(sizeof(*cmd));
	char *text = NULL;
	int len, err;

	if (!cmd)
		return -ENOMEM;
	len = redisFormatCommandArgv(&text, argc, (const char **)(uintptr_t)argv, lens);
	if (len < 0) {
		free(cmd);
		return -ENOMEM;
	}
	err = write_bytes(c, text, (size_t)len);
	explicit_bzero(text, (size_t)len);
	redisFreeCommand(text);
	if (err) {
		free(cmd);
		return err == -ENOMEM ? err : -ENOTCONN;
	}
	*cmd = (struct command){ .on_reply = on_reply, .arg = arg };
	if (c->conf.subscribing && c->up) { /* answers are pushes there */
		free(cmd);
		return 0;
	}
	if (list_is_empty(&c->pending))
		c->silent_ticks = 0;
	list_add(&c->pending, &cmd->node);
	c->pending_count++;
	return 0;
}

int bus_conn_command(struct bus_conn *c, void (*on_reply)(void *arg, const redisReply *r),
	void *arg, int argc, const char *const *argv, const size_t *lens)
{
	if (!c->up)
		return -ENOTCONN;
	return enqueue(c, on_reply, arg, argc, argv, lens);
}

int bus_conn_send(
	struct bus_conn *c, void (*on_reply)(void *arg, const redisReply *r), void *arg, ...)
{
	const char *argv[MAX_ARGS];
	int argc = 0;
	va_list ap;

	va_start(ap, arg);
	while (argc < MAX_ARGS && (argv[argc] = va_arg(ap, const char *)))
		argc++;
	va_end(ap);
	return bus_conn_command(c, on_reply, arg, argc, argv, NULL);
}

size_t bus_conn_backlog(const struct bus_conn *c)
{
	return c->link ? uv_stream_get_write_queue_size(&c->link->stream) : 0;
}

static bool is_push(const redisReply *r)
{
	static const char *const kinds[] = { "message", "pmessage", "subscribe", "psubscribe",
		"unsubscribe", "punsubscribe", "pong" };

	if (r->type != REDIS_REPLY_ARRAY || r->elements < 2 ||
		r->element[0]->type != REDIS_REPLY_STRING)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(r->element[0]->str, kinds[i]))
			return true;
	}
	return false;
}

static void handle_push(struct bus_conn *c, const redisReply *r)
{
	if (r->type == REDIS_REPLY_ERROR)
		log_error("bus: refused by redis name=%s error=%s", c->conf.name, r->str);
	if (!is_push(r) || !strcmp(r->element[0]->str, "pong"))
		c->pinging = false;
	else
		c->ops->on_push(c, r);
}

static bool is_read_only(const redisReply *r)
{
	return r->type == REDIS_REPLY_ERROR && !strncmp(r->str, "READONLY", 8);
}

static void handle_reply(struct bus_conn *c, const redisReply *r)
{
	struct command *cmd;

	if (c->up && c->conf.subscribing) {
		c->has_answered = true;
		handle_push(c, r);
		return;
	}
	if (list_is_empty(&c->pending)) {
		distrust(c, "an answer nobody asked for");
		return;
	}
	c->has_answered |= c->up;
	cmd = container_of(c->pending.next, struct command, node);
	list_remove(&cmd->node);
	c->pending_count--;
	if (cmd->on_reply)
		cmd->on_reply(cmd->arg, r);
	free(cmd);
	if (is_read_only(r))
		give_up(c, "the server follows another");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct bus_link *l = handle->data;

	(void)suggested;
	*out = uv_buf_init(l->chunk, sizeof(l->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *chunk)
{
	struct bus_link *l = stream->data;
	void *reply = NULL;

	if (!l->conn)
		return;
	if (n < 0) {
		give_up(l->conn, uv_strerror((int)n));
		return;
	}
	l->conn->silent_ticks = l->conn->idle_ticks = 0;
	l->unanswered += (size_t)n;
	if (n && (l->unanswered > REPLY_MAX ||
			 redisReaderFeed(l->reader, chunk->base, (size_t)n) != REDIS_OK)) {
		l->conn->overflowed = true;
		give_up(l->conn, "reply too large");
		return;
	}
	for (;;) {
		if (redisReaderGetReply(l->reader, &reply) != REDIS_OK) {
			l->conn->overflowed = l->elements > ELEMENTS_MAX;
			if (l->conn->overflowed)
				give_up(l->conn, "reply too large");
			else
				distrust(l->conn, l->reader->errstr);
			return;
		}
		if (!reply)
			return;
		l->unanswered = l->elements = 0;
		handle_reply(l->conn, reply);
		freeReplyObject(reply);
		if (!l->conn)
			return;
	}
}

static void trust(struct bus_conn *c)
{
	c->is_suspect = false;
	/* What was too large is likely to be asked for again. */
	c->backoff_ms = c->overflowed ? BACKOFF_MAX_MS : BACKOFF_FIRST_MS;
	if (c->reported || c->connects == 1)
		log_info("bus: connected name=%s", c->conf.name);
	c->reported = false;
}

static void set_up(struct bus_conn *c)
{
	c->up = true;
	c->connects++;
	c->good_ticks = 0;
	c->has_answered = false;
	c->backoff_ms = BACKOFF_MAX_MS;
	if (!c->is_suspect)
		trust(c);
	c->overflowed = false;
	c->ops->on_up(c);
}

static bool is_refused(struct bus_conn *c, const redisReply *r)
{
	if (r->type != REDIS_REPLY_ERROR)
		return false;
	if (!c->reported)
		log_error("bus: redis refuses name=%s user=%s error=%s", c->conf.name, c->conf.user,
			r->str);
	c->reported = true;
	give_up(c, "refused");
	return true;
}

static void on_role(void *arg, const redisReply *r)
{
	struct bus_conn *c = arg;

	if (!r || is_refused(c, r))
		return;
	if (r->type == REDIS_REPLY_ARRAY && r->elements &&
		r->element[0]->type == REDIS_REPLY_STRING && !strcmp(r->element[0]->str, "master"))
		set_up(c);
	else
		give_up(c, "not the master");
}

/* The answer to the first command, AUTH or PING. */
static void on_greeting(void *arg, const redisReply *r)
{
	const char *role[] = { "ROLE" };
	struct bus_conn *c = arg;
	int err;

	if (!r || is_refused(c, r))
		return;
	if (!c->conf.wants_master) {
		set_up(c);
		return;
	}
	err = enqueue(c, on_role, c, 1, role, NULL);
	if (err)
		give_up(c, strerror(-err));
}

static void greet(struct bus_conn *c)
{
	const char *auth[] = { "AUTH", c->conf.user, c->conf.password };
	const char *ping[] = { "PING" };
	int err = c->conf.password ? enqueue(c, on_greeting, c, 3, auth, NULL)
				   : enqueue(c, on_greeting, c, 1, ping, NULL);

	if (err)
		give_up(c, strerror(-err));
}

static void on_connect(uv_connect_t *req, int status)
{
	struct bus_link *l = req->data;
	struct bus_conn *c = l->conn;

	if (!c)
		return;
	if (status == 0)
		status = uv_read_start(&l->stream, on_alloc, on_read);
	if (status < 0) {
		give_up(c, uv_strerror(status));
		return;
	}
	c->silent_ticks = 0;
	greet(c);
}

static int connect_tcp(struct bus_link *l, const char *where)
{
	struct sockaddr_storage ss;
	struct endpoint e;
	int err = endpoint_parse(where, &e);

	if (err)
		return err;
	addr_to_sockaddr(&e.addr, e.port, &ss);
	uv_tcp_nodelay(&l->tcp, 1);
	return uv_tcp_connect(&l->connect, &l->tcp, (struct sockaddr *)&ss, on_connect);
}

static void on_retry(struct timer *t)
{
	struct bus_conn *c = t->data;
	struct bus_link *l;
	bool tcp;
	int err;

	if (!c->conf.server)
		return;
	l = calloc(1, sizeof(*l));
	tcp = !strncmp(c->conf.server, "tcp:", 4);

	if (!l || open_reader(l)) {
		free(l);
		schedule_retry(c);
		return;
	}
	l->conn = l->owner = c;
	err = tcp ? uv_tcp_init(c->loop, &l->tcp) : uv_pipe_init(c->loop, &l->pipe, 0);
	if (err) {
		redisReaderFree(l->reader);
		free(l);
		schedule_retry(c);
		return;
	}
	l->handle.data = l;
	l->connect.data = l;
	c->link = l;
	c->handles++;
	c->silent_ticks = c->idle_ticks = 0;
	timer_start(&c->watchdog, TICK_MS, TICK_MS);
	if (tcp)
		err = connect_tcp(l, c->conf.server + 4);
	else
		uv_pipe_connect(&l->connect, &l->pipe, c->conf.server + 5, on_connect);
	if (err)
		give_up(c, uv_strerror(err));
}

/*
 * Counts its own ticks instead of comparing clocks: a loop that was busy for seconds must not take
 * its own delay for the server's.
 */
static void on_watchdog(struct timer *t)
{
	struct bus_conn *c = t->data;
	bool due = !c->up || !list_is_empty(&c->pending) || c->pinging;

	if (c->is_suspect && c->up && c->has_answered && ++c->good_ticks >= TRUST_TICKS)
		trust(c);
	if (due && ++c->silent_ticks >= DEADLINE_TICKS) {
		if (c->has_answered)
			give_up(c, "no answer for 2 s");
		else
			distrust(c, "no answer for 2 s");
		return;
	}
	if (!due && ++c->idle_ticks >= PING_TICKS) {
		c->idle_ticks = c->silent_ticks = 0;
		c->pinging = c->conf.subscribing;
		bus_conn_send(c, NULL, NULL, "PING", NULL);
	}
}

int bus_conn_open(uv_loop_t *loop, struct bus_conn *c, const struct bus_conn_conf *conf,
	const struct bus_conn_ops *ops, void *data)
{
	int err;

	*c = (struct bus_conn){ .loop = loop,
		.conf = *conf,
		.ops = ops,
		.data = data,
		.backoff_ms = BACKOFF_FIRST_MS };
	list_init(&c->pending);
	err = timer_init(loop, &c->retry, on_retry, c);
	if (!err)
		err = timer_init(loop, &c->watchdog, on_watchdog, c);
	c->handles = 2;
	timer_start(&c->retry, 0, 0);
	return err;
}

void bus_conn_set_server(struct bus_conn *c, const char *server)
{
	c->conf.server = server;
	if (c->closing)
		return;
	give_up(c, "another server is to be used");
	c->is_suspect = false;
	c->backoff_ms = BACKOFF_FIRST_MS;
	timer_start(&c->retry, 0, 0);
}

void bus_conn_close(struct bus_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	give_up(c, "closing");
	timer_close(&c->retry, on_timer_closed);
	timer_close(&c->watchdog, on_timer_closed);
}
