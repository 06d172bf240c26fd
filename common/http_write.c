/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads and bodies as bytes. Framing headers are written here and nowhere else. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/http_internal.h"

bool http_is_framing_header(const char *name)
{
	static const char *const ours[] = { "content-length", "transfer-encoding", "connection",
		"keep-alive", "proxy-connection" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (http_name_is(name, ours[i]))
			return true;
	return false;
}

/* Received strings were checked by the parser; this holds whatever their way here was. */
static bool is_clean(const char *s)
{
	return !s[strcspn(s, "\r\n")];
}

static int put_start_line(struct buf *b, const struct http_head *h, bool is_request)
{
	if (is_request) {
		if (!h->method || !h->target || !is_clean(h->method) || !is_clean(h->target))
			return -EINVAL;
		return buf_printf(b, "%s %s HTTP/1.1\r\n", h->method, h->target);
	}
	const char *reason = h->reason ? h->reason : http_status_text(h->status);

	if (h->status < 100 || h->status > 999 || !is_clean(reason))
		return -EINVAL;
	return buf_printf(b, "HTTP/1.1 %d %s\r\n", h->status, reason);
}

static void put_date(struct buf *b)
{
	char text[64];
	time_t now = time(NULL);
	struct tm tm;

	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	buf_printf(b, "Date: %s\r\n", text);
}

static int put_headers(struct buf *b, const struct http_head *h)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		const struct http_header *x = &h->headers[i];

		if (http_is_framing_header(x->name))
			continue;
		if (!x->name[0] || !is_clean(x->name) || !is_clean(x->value))
			return -EINVAL;
		buf_append_str(b, x->name);
		buf_append(b, ": ", 2);
		buf_append_str(b, x->value);
		buf_append(b, "\r\n", 2);
	}
	return 0;
}

int http_encode_head(struct buf *b, const struct http_head *h, const struct http_framing_lines *f)
{
	int err = put_start_line(b, h, f->is_request);

	if (!err)
		err = put_headers(b, h);
	if (err)
		return err;
	if (!f->is_request && h->status >= 200 && !http_head_get(h, "date"))
		put_date(b);
	if (f->say_length && f->framing == HTTP_BODY_CHUNKED)
		buf_append_str(b, "Transfer-Encoding: chunked\r\n");
	else if (f->say_length && f->framing != HTTP_BODY_CLOSE)
		buf_printf(b, "Content-Length: %" PRIu64 "\r\n", f->len);
	if (f->connection)
		buf_printf(b, "Connection: %s\r\n", f->connection);
	buf_append(b, "\r\n", 2);
	return b->failed;
}

static int write_chunk(struct stream *s, const void *data, size_t len)
{
	char *out = malloc(len + 24);
	int n;

	if (!out)
		return -ENOMEM;
	n = sprintf(out, "%zx\r\n", len);
	memcpy(out + n, data, len);
	out[(size_t)n + len] = '\r';
	out[(size_t)n + len + 1] = '\n';
	return stream_write_owned(s, out, (size_t)n + len + 2);
}

int http_body_write(struct http_body_out *o, struct stream *s, const void *data, size_t len)
{
	if (!len)
		return 0;
	switch (o->framing) {
	case HTTP_BODY_NONE:
		return o->is_swallowed ? 0 : -EMSGSIZE;
	case HTTP_BODY_LENGTH:
		if (len > o->left)
			return -EMSGSIZE;
		o->left -= len;
		break;
	case HTTP_BODY_CHUNKED:
		if (!o->is_swallowed)
			return write_chunk(s, data, len);
		break;
	case HTTP_BODY_CLOSE:
		break;
	}
	return o->is_swallowed ? 0 : stream_write(s, data, len);
}

int http_body_end(struct http_body_out *o, struct stream *s, const struct http_head *trailers)
{
	struct buf b;
	int err;

	if (o->is_swallowed)
		return 0;
	if (o->framing == HTTP_BODY_LENGTH)
		return o->left ? -EMSGSIZE : 0;
	if (o->framing != HTTP_BODY_CHUNKED)
		return 0;
	buf_init(&b, 0);
	buf_append_str(&b, "0\r\n");
	err = trailers ? put_headers(&b, trailers) : 0;
	buf_append(&b, "\r\n", 2);
	if (!err)
		err = b.failed;
	if (!err)
		err = stream_write(s, b.data, b.len);
	buf_fini(&b);
	return err;
}
