/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/access_log.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_MS    1000
#define WRITE_BYTES 65536
#define PENDING_MAX (1024 * 1024)

/* One call in the pool at a time. */
struct access_log {
	uv_loop_t *loop;
	char *path; /* NULL: none */
	uv_file fd; /* -1: not open */
	uv_fs_t call;
	bool is_busy; /* call is under way */
	bool must_reopen, is_closing;
	struct timer timer;
	struct buf pending;
	uint8_t *block; /* being written, from at on */
	size_t block_len, at;
	int err; /* of the last attempt */
	uint64_t lines, dropped;
};

static void step(struct access_log *l);

static uint64_t count_lines(const uint8_t *text, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

static void free_block(struct access_log *l)
{
	free(l->block);
	l->block = NULL;
	l->block_len = l->at = 0;
}

/* Says what changed, once. */
static void set_error(struct access_log *l, int err)
{
	if (err && err != l->err)
		log_error("access log cannot be written path=%s error=\"%s\"", l->path,
			strerror(-err));
	else if (!err && l->err)
		log_notice("access log is written again path=%s dropped=%" PRIu64, l->path,
			l->dropped);
	l->err = err;
}

static void on_timer_closed(struct timer *t)
{
	struct access_log *l = t->data;

	buf_fini(&l->pending);
	free(l->path);
	free(l);
}

/* What is left cannot be written. */
static void finish(struct access_log *l)
{
	uint64_t lost = count_lines(l->pending.data, l->pending.len);

	if (l->block)
		lost += count_lines(l->block + l->at, l->block_len - l->at);
	if (lost)
		log_warning("access log ends without its last lines=%" PRIu64, lost);
	free_block(l);
	if (l->fd >= 0)
		uv_fs_close(NULL, &l->call, l->fd, NULL);
	timer_close(&l->timer, on_timer_closed);
}

static void try_later(struct access_log *l)
{
	if (l->is_closing)
		finish(l);
	else if (!timer_is_active(&l->timer))
		timer_start(&l->timer, WRITE_MS, 0);
}

/* ---- calls ---- */

/* The call's result, -errno. */
static ssize_t end_call(struct access_log *l)
{
	ssize_t result = l->call.result;

	uv_fs_req_cleanup(&l->call);
	l->is_busy = false;
	return result;
}

static void on_opened(uv_fs_t *call)
{
	struct access_log *l = call->data;
	ssize_t fd = end_call(l);

	if (fd < 0) {
		set_error(l, (int)fd);
		try_later(l);
		return;
	}
	l->fd = (uv_file)fd;
	if (!l->block && !l->pending.len)
		set_error(l, 0);
	step(l);
}

static void on_closed(uv_fs_t *call)
{
	struct access_log *l = call->data;

	end_call(l);
	l->fd = -1;
	step(l);
}

static void on_written(uv_fs_t *call)
{
	struct access_log *l = call->data;
	ssize_t n = end_call(l);

	if (n < 0) {
		set_error(l, (int)n);
		/* Another file is at hand, or the end is. */
		if (l->must_reopen)
			step(l);
		else
			try_later(l);
		return;
	}
	set_error(l, 0);
	l->lines += count_lines(l->block + l->at, (size_t)n);
	l->at += (size_t)n;
	if (l->at == l->block_len)
		free_block(l);
	step(l);
}

static void begin(struct access_log *l, int err)
{
	l->is_busy = !err;
	if (err) {
		set_error(l, err);
		try_later(l);
	}
}

/* ---- what is next ---- */

/* A line whose beginning is in the former file goes without its rest. */
static void skip_torn_line(struct access_log *l)
{
	const uint8_t *end;

	if (!l->block || !l->at || l->block[l->at - 1] == '\n')
		return;
	end = memchr(l->block + l->at, '\n', l->block_len - l->at);
	l->at = end ? (size_t)(end - l->block) + 1 : l->block_len;
	l->dropped++;
	if (l->at == l->block_len)
		free_block(l);
}

static void open_file(struct access_log *l)
{
	/* A pipe that nobody reads would hold the pool up. */
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	l->must_reopen = false;
	skip_torn_line(l);
	if (l->path)
		begin(l, uv_fs_open(l->loop, &l->call, l->path, flags, 0640, on_opened));
	else if (l->is_closing)
		finish(l);
}

static void write_block(struct access_log *l)
{
	uv_buf_t b = uv_buf_init((char *)l->block + l->at, (unsigned)(l->block_len - l->at));

	begin(l, uv_fs_write(l->loop, &l->call, l->fd, &b, 1, -1, on_written));
}

static void step(struct access_log *l)
{
	bool is_due = l->is_closing || l->must_reopen || l->pending.len >= WRITE_BYTES ||
		      !timer_is_active(&l->timer);

	if (l->is_busy)
		return;
	if (l->fd < 0) {
		open_file(l);
		return;
	}
	/* What failed goes to the new file. */
	if (!l->block && l->pending.len && is_due)
		l->block = buf_release(&l->pending, &l->block_len);
	if (l->block && !(l->must_reopen && l->err))
		write_block(l);
	else if (l->must_reopen)
		begin(l, uv_fs_close(l->loop, &l->call, l->fd, on_closed));
	else if (l->is_closing)
		finish(l);
}

static void on_timer(struct timer *t)
{
	step(t->data);
}

/* ---- what others call ---- */

static int set_path(struct access_log *l, const char *path)
{
	char *copy = *path ? strdup(path) : NULL;

	if (*path && !copy)
		return -ENOMEM;
	free(l->path);
	l->path = copy;
	return 0;
}

struct access_log *access_log_open(uv_loop_t *loop, const char *path)
{
	struct access_log *l = calloc(1, sizeof(*l));

	if (!l || set_path(l, path)) {
		free(l);
		return NULL;
	}
	l->loop = loop;
	l->fd = -1;
	l->call.data = l;
	buf_init(&l->pending, PENDING_MAX);
	timer_init(loop, &l->timer, on_timer, l);
	if (l->path)
		step(l);
	return l;
}

void access_log_close(struct access_log *l)
{
	l->is_closing = true;
	timer_stop(&l->timer);
	step(l);
}

void access_log_reopen(struct access_log *l, const char *path)
{
	if (set_path(l, path))
		return;
	l->must_reopen = true;
	step(l);
}

bool access_log_is_on(const struct access_log *l)
{
	return l->path;
}

void access_log_add(struct access_log *l, const void *line, size_t len)
{
	if (l->pending.len + len > PENDING_MAX || buf_append(&l->pending, line, len)) {
		l->pending.failed = 0;
		l->dropped += count_lines(line, len);
		return;
	}
	if (!timer_is_active(&l->timer))
		timer_start(&l->timer, WRITE_MS, 0);
	if (l->pending.len >= WRITE_BYTES && !l->block && l->fd >= 0)
		step(l);
}

void access_log_report(const struct access_log *l, cJSON *status)
{
	cJSON_AddNumberToObject(status, "access_log_lines", (double)l->lines);
	cJSON_AddNumberToObject(status, "access_log_dropped", (double)l->dropped);
	if (l->err)
		cJSON_AddStringToObject(status, "access_log_error", strerror(-l->err));
}
