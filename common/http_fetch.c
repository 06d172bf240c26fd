/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_internal.h"

#define MAX_BODY (1024 * 1024)
#define TOTAL_MS 30000

struct http_fetch {
	struct http_client *client; /* NULL once it closed */
	uv_timer_t timer;
	struct http_head head;
	struct buf out;		  /* request body */
	struct buf in;		  /* response body */
	http_on_result on_result; /* NULL: cancelled or told */
	void *data;
	bool complete;
	int err; /* ours, before the connection's */
	struct http_result result;
	char error[192];
};

static void on_timer_closed(uv_handle_t *handle)
{
	struct http_fetch *f = handle->data;

	http_head_fini(&f->head);
	buf_fini(&f->out);
	buf_fini(&f->in);
	free(f);
}

static void tell(struct http_fetch *f, struct http_result *res)
{
	http_on_result on_result = f->on_result;

	f->on_result = NULL;
	if (on_result)
		on_result(res, f->data);
}

static void on_open(struct http_client *c)
{
	struct http_fetch *f = http_client_data(c);
	int err = http_client_send(
		c, &f->head, f->out.len ? HTTP_BODY_LENGTH : HTTP_BODY_NONE, f->out.len);

	if (!err && f->out.len)
		err = http_client_write(c, f->out.data, f->out.len);
	if (!err)
		err = http_client_end(c, NULL);
	if (err)
		http_client_close(c, err);
}

static void on_response(struct http_client *c)
{
	(void)c;
}

static void on_body(struct http_client *c, const void *data, size_t len)
{
	struct http_fetch *f = http_client_data(c);
	int err = buf_append(&f->in, data, len);

	if (err) {
		f->err = err == -ENOSPC ? -EMSGSIZE : err;
		http_client_close(c, f->err);
	}
}

static void on_response_end(struct http_client *c)
{
	struct http_fetch *f = http_client_data(c);
	struct http_result res = { .error = "", .head = http_client_head(c), .len = f->in.len };
	size_t len;

	res.verify = http_client_verify(c);
	buf_append(&f->in, "", 0);
	res.body = (char *)buf_release(&f->in, &len);
	f->complete = true;
	http_client_close(c, 0);
	tell(f, &res);
	free(res.body);
}

static void on_close(struct http_client *c, int why)
{
	struct http_fetch *f = http_client_data(c);
	struct http_result res = { .err = f->err ? f->err : why ? why : -ECONNRESET };

	res.error = f->error[0] ? f->error : http_client_error(c);
	if (res.err == -EMSGSIZE)
		res.error = "http: body too large";
	res.verify = http_client_verify(c);
	f->client = NULL;
	if (!f->complete)
		tell(f, &res);
	uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}

static const struct http_client_ops client_ops = {
	.on_open = on_open,
	.on_response = on_response,
	.on_body = on_body,
	.on_response_end = on_response_end,
	.on_close = on_close,
};

static void on_deadline(uv_timer_t *timer)
{
	struct http_fetch *f = timer->data;

	f->err = -ETIMEDOUT;
	snprintf(f->error, sizeof(f->error), "http: no complete response in time");
	http_client_close(f->client, -ETIMEDOUT);
}

static int prepare(struct http_fetch *f, const struct http_fetch_options *opt)
{
	int err = http_head_copy(&f->head, opt->head);

	if (!err && !http_head_get(&f->head, "host"))
		err = opt->name ? http_head_add(&f->head, "Host", opt->name) : -EINVAL;
	if (!err)
		err = http_head_set(&f->head, "Connection", "close");
	if (!err && opt->len)
		err = buf_append(&f->out, opt->body, opt->len);
	return err;
}

int http_fetch(uv_loop_t *loop, const struct http_fetch_options *opt, http_on_result on_result,
	void *data, struct http_fetch **out)
{
	static const struct stream_ops silent;
	struct http_fetch *f = calloc(1, sizeof(*f));
	struct http_limits limits = http_limits_filled(opt->limits);
	struct stream *s;
	int err;

	if (!f)
		return -ENOMEM;
	buf_init(&f->out, 0);
	buf_init(&f->in, opt->max_body ? opt->max_body : MAX_BODY);
	f->on_result = on_result;
	f->data = data;
	limits.max_body = opt->max_body ? opt->max_body : MAX_BODY;
	if (!opt->limits)
		limits.header_ms = 0;
	err = prepare(f, opt);
	if (!err)
		err = stream_connect(loop, opt->to, opt->tls, opt->name, NULL, &silent, NULL, &s);
	if (!err) {
		f->client = http_client_new(s, &client_ops, &limits, f);
		err = f->client ? 0 : -ENOMEM;
	}
	if (err) {
		http_head_fini(&f->head);
		buf_fini(&f->out);
		buf_fini(&f->in);
		free(f);
		return err;
	}
	uv_timer_init(loop, &f->timer);
	f->timer.data = f;
	uv_timer_start(&f->timer, on_deadline, opt->total_ms ? opt->total_ms : TOTAL_MS, 0);
	if (out)
		*out = f;
	return 0;
}

void http_fetch_cancel(struct http_fetch *f)
{
	f->on_result = NULL;
	if (f->client)
		http_client_close(f->client, -ECANCELED);
}
