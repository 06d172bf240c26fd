/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/backend.h"
#include "wgd/uapi.h"

#include "common/timer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* One connection per operation: connect, write the request, read the answer up to its empty line.
 */
enum { DEADLINE_MS = 5000, ANSWER_MAX = 64 << 20, KEEP_MAX = 256 << 10 };

typedef void on_get_fn(void *arg, int status, const struct wg_device *dev);

struct backend {
	uv_loop_t *loop;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	void *arg;
	uv_pipe_t pipe;
	bool connected_or_trying; /* the pipe is an open handle */
	uv_connect_t connect;
	uv_write_t write;
	struct timer deadline;
	struct buf request, answer;
	void (*on_get)(void *arg, int status, const struct wg_device *dev);
	void (*on_set)(void *arg, int status);
	int status;	  /* of the operation that ends */
	unsigned handles; /* open: pipe, timer */
	bool closing;
};

static void release(struct backend *b)
{
	if (b->handles || !b->closing)
		return;
	buf_fini(&b->request);
	buf_fini(&b->answer);
	free(b);
}

/* What many peers needed is given back: the next operation is mostly about one. */
static void wipe(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->len);
	buf_reset(buf);
	if (buf->cap > KEEP_MAX) {
		buf_fini(buf);
		buf_init(buf, ANSWER_MAX);
	}
}

/* Calls back once the connection is closed, so that the next operation may start at once. */
static void report(struct backend *b)
{
	on_get_fn *on_get = b->on_get;
	void (*on_set)(void *, int) = b->on_set;
	struct wg_device dev;
	int status = b->status;
	b->on_get = NULL;
	b->on_set = NULL;
	if (!status)
		status = uapi_parse(
			(const char *)b->answer.data, b->answer.len, on_get ? &dev : NULL);
	wipe(&b->request);
	wipe(&b->answer);
	if (on_set)
		on_set(b->arg, status);
	if (on_get) {
		on_get(b->arg, status, status ? NULL : &dev);
		if (!status)
			wg_device_fini(&dev);
	}
}

static void on_pipe_closed(uv_handle_t *handle)
{
	struct backend *b = handle->data;
	b->handles--;
	b->connected_or_trying = false;
	if (b->closing)
		release(b);
	else
		report(b);
}

static void finish(struct backend *b, int status)
{
	if (!b->connected_or_trying || uv_is_closing((uv_handle_t *)&b->pipe))
		return;
	b->status = status;
	timer_stop(&b->deadline);
	uv_close((uv_handle_t *)&b->pipe, on_pipe_closed);
}

static void on_deadline(struct timer *t)
{
	finish(t->data, -ETIMEDOUT);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct backend *b = handle->data;
	if (buf_reserve(&b->answer, suggested)) {
		*out = uv_buf_init(NULL, 0);
		return;
	}
	*out = uv_buf_init((char *)b->answer.data + b->answer.len, (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused)
{
	(void)unused;
	struct backend *b = stream->data;
	if (n < 0) {
		finish(b, n == UV_EOF ? -EPIPE : (int)n);
		return;
	}
	b->answer.len += (size_t)n;
	if (uapi_is_complete((const char *)b->answer.data, b->answer.len))
		finish(b, 0);
}

static void on_written(uv_write_t *req, int status)
{
	if (status < 0 && status != UV_ECANCELED)
		finish(req->data, status);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct backend *b = req->data;
	if (status == UV_ECANCELED)
		return;
	if (status < 0) {
		finish(b, status);
		return;
	}
	uv_buf_t out = uv_buf_init((char *)b->request.data, (unsigned)b->request.len);
	b->write.data = b;
	int err = uv_write(&b->write, (uv_stream_t *)&b->pipe, &out, 1, on_written);
	if (!err)
		err = uv_read_start((uv_stream_t *)&b->pipe, on_alloc, on_read);
	if (err)
		finish(b, err);
}

static void begin(struct backend *b)
{
	uv_pipe_init(b->loop, &b->pipe, 0);
	b->pipe.data = b;
	b->handles++;
	b->connected_or_trying = true;
	timer_start(&b->deadline, DEADLINE_MS, 0);
	if (b->request.failed) {
		finish(b, b->request.failed);
		return;
	}
	b->connect.data = b;
	uv_pipe_connect(&b->connect, &b->pipe, b->path, on_connected);
}

static struct backend *uapi_open(
	uv_loop_t *loop, const char *ifname, const char *uapi_dir, void *arg)
{
	struct backend *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	if (snprintf(b->path, sizeof(b->path), "%s/%s.sock", uapi_dir, ifname) >=
			(int)sizeof(b->path) ||
		timer_init(loop, &b->deadline, on_deadline, b)) {
		free(b);
		return NULL;
	}
	b->handles = 1;
	b->loop = loop;
	b->arg = arg;
	buf_init(&b->request, ANSWER_MAX);
	buf_init(&b->answer, ANSWER_MAX);
	return b;
}

static void uapi_get(struct backend *b, on_get_fn *on_get)
{
	b->on_get = on_get;
	buf_append_str(&b->request, UAPI_GET);
	begin(b);
}

static void uapi_set(
	struct backend *b, const struct wg_changes *changes, void (*on_set)(void *arg, int status))
{
	b->on_set = on_set;
	uapi_format_set(&b->request, changes);
	begin(b);
}

static void on_timer_closed(struct timer *t)
{
	struct backend *b = t->data;
	b->handles--;
	release(b);
}

static void uapi_close(struct backend *b)
{
	b->closing = true;
	finish(b, -ECANCELED);
	timer_close(&b->deadline, on_timer_closed);
}

const struct backend_ops backend_uapi = {
	.name = "uapi",
	.creates_link = false,
	.open = uapi_open,
	.get = uapi_get,
	.set = uapi_set,
	.close = uapi_close,
};
