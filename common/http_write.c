/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads and bodies as bytes. Framing headers are written here and nowhere else. */
#include <errno.h>
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
	char first = (char)(*name | 0x20);

	/* Called for every header there is. */
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (first == *ours[i] && !strcasecmp(name, ours[i]))
			return true;
	return false;
}

/* Received strings were checked by the parser; this holds whatever their way here was. */
static bool is_clean(const char *s)
{
	return !s[strcspn(s, "\r\n")];
}

static void put_number(struct buf *b, uint64_t n)
{
	char text[20]; /* of the largest */
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + n % 10);
	while (n /= 10);
	buf_append(b, text + at, sizeof(text) - at);
}

static int put_start_line(struct buf *b, const struct http_head *h, bool is_request)
{
	if (is_request) {
		if (!h->method || !h->target || !is_clean(h->method) || !is_clean(h->target))
			return -EINVAL;
		buf_append_str(b, h->method);
		buf_append_byte(b, ' ');
		buf_append_str(b, h->target);
		return buf_append_str(b, " HTTP/1.1\r\n");
	}
	const char *reason = h->reason ? h->reason : http_status_text(h->status);

	if (h->status < 100 || h->status > 999 || !is_clean(reason))
		return -EINVAL;
	buf_append_str(b, "HTTP/1.1 ");
	put_number(b, (uint64_t)h->status);
	buf_append_byte(b, ' ');
	buf_append_str(b, reason);
	return buf_append(b, "\r\n", 2);
}

static void put_line(struct buf *b, const char *name, const char *value)
{
	buf_append_str(b, name);
	buf_append(b, ": ", 2);
	buf_append_str(b, value);
	buf_append(b, "\r\n", 2);
}

static void put_date(struct buf *b)
{
	char text[64];
	time_t now = time(NULL);
	struct tm tm;

	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	put_line(b, "Date", text);
}

static int put_headers(struct buf *b, const struct http_head *h)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		const struct http_header *x = &h->headers[i];

		if (http_is_framing_header(x->name))
			continue;
		if (!x->name[0] || !is_clean(x->name) || !is_clean(x->value))
			return -EINVAL;
		put_line(b, x->name, x->value);
	}
	return 0;
}

int http_encode_head(struct buf *b, const struct http_head *h, const struct http_framing_lines *f)
{
	/* With what is written between the strings, and our own: mostly all of it, at once. */
	int err = buf_reserve(b, h->bytes + h->n_headers * 4 + 192);

	if (!err)
		err = put_start_line(b, h, f->is_request);
	if (!err)
		err = put_headers(b, h);
	if (err)
		return err;
	if (!f->is_request && h->status >= 200 && !http_head_get(h, "date"))
		put_date(b);
	if (f->say_length && f->framing == HTTP_BODY_CHUNKED) {
		put_line(b, "Transfer-Encoding", "chunked");
	} else if (f->say_length && f->framing != HTTP_BODY_CLOSE) {
		buf_append_str(b, "Content-Length: ");
		put_number(b, f->len);
		buf_append(b, "\r\n", 2);
	}
	if (f->connection)
		put_line(b, "Connection", f->connection);
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
	if (!o->is_swallowed)
		o->sent += len;
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
