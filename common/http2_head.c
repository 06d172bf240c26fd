/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/http2_head.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/http_internal.h"

/* Of extended CONNECT (RFC 8441); among the headers until the head is whole. */
#define PROTOCOL ":protocol"

/* -- In -- */

static bool is_name(const char *name, size_t len, const char *what)
{
	return strlen(what) == len && !memcmp(name, what, len);
}

static int add(
	struct http_head *h, const char *name, size_t name_len, const char *value, size_t len)
{
	return http_head_add_n(h, name, name_len, value, len);
}

/* One name alone may say where it goes. */
static int add_host(struct http_head *h, const char *value, size_t len)
{
	const char *host = http_head_get(h, "host");

	if (!host)
		return add(h, "Host", 4, value, len);
	return strlen(host) == len && !strncasecmp(host, value, len) ? 0 : 400;
}

static int set_copy(struct http_head *h, const char **to, const char *value, size_t len)
{
	*to = http_head_strndup(h, value, len);
	return *to ? 0 : -ENOMEM;
}

static int add_pseudo(const struct http2_head_in *in, const char *name, size_t name_len,
	const char *value, size_t len)
{
	struct http_head *h = in->head;

	if (is_name(name, name_len, ":method"))
		return set_copy(h, &h->method, value, len);
	if (is_name(name, name_len, ":path")) {
		h->bytes += len;
		return len > in->limits->max_target ? 414 : set_copy(h, &h->target, value, len);
	}
	if (is_name(name, name_len, ":authority"))
		return add_host(h, value, len);
	if (is_name(name, name_len, ":status"))
		h->status = (int)strtol(value, NULL, 10);
	if (is_name(name, name_len, PROTOCOL))
		return add(h, PROTOCOL, strlen(PROTOCOL), value, len);
	return 0; /* :scheme is the connection's */
}

int http2_head_add(const struct http2_head_in *in, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	struct http_head *h = in->head;

	if (h->n_headers >= in->limits->max_headers ||
		h->bytes + name_len + value_len > in->limits->max_head_bytes)
		return 431;
	if (name_len && name[0] == ':' && !in->is_trailer)
		return add_pseudo(in, name, name_len, value, value_len);
	if (memchr(value, '\0', value_len) || memchr(name, '\0', name_len))
		return 400;
	if (is_name(name, name_len, "host") && !in->is_trailer)
		return add_host(h, value, value_len);
	return add(h, name, name_len, value, value_len);
}

static int join_cookies(struct http_head *h)
{
	size_t len = 0, n = 0;
	char *joined, *at;
	int err;

	for (size_t i = 0; (i = http_head_find(h, "cookie", i)) < h->n_headers; i++, n++)
		len += strlen(h->headers[i].value) + 2;
	if (n < 2)
		return 0;
	joined = at = malloc(len);
	if (!joined)
		return -ENOMEM;
	for (size_t i = 0; (i = http_head_find(h, "cookie", i)) < h->n_headers; i++)
		at += sprintf(at, "%s%s", at == joined ? "" : "; ", h->headers[i].value);
	http_head_remove(h, "cookie");
	err = add(h, "cookie", 6, joined, strlen(joined));
	free(joined);
	return err;
}

static bool is_target(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == '#')
			return false;
	return true;
}

/* Extended CONNECT is a GET that asks for an upgrade. */
static int translate_connect(struct http_head *h)
{
	const char *protocol = http_head_get(h, PROTOCOL);
	bool is_websocket = protocol && !strcmp(protocol, "websocket");

	if (!protocol)
		return 0;
	http_head_remove(h, PROTOCOL);
	if (!is_websocket || strcmp(h->method, "CONNECT") != 0 || !h->target)
		return 501;
	h->method = "GET";
	return add(h, "Upgrade", 7, "websocket", 9) || add(h, "Connection", 10, "Upgrade", 7)
		       ? -ENOMEM
		       : 0;
}

int http2_head_finish_request(struct http_head *h)
{
	const char *host = http_head_get(h, "host");
	int err;

	if (!h->method || !host || !*host)
		return 400;
	err = translate_connect(h);
	if (err)
		return err;
	/* CONNECT has no path: its target is the authority. */
	if (!h->target && !strcmp(h->method, "CONNECT"))
		h->target = host;
	if (!h->target || !*h->target || !is_target(h->target))
		return 400;
	return join_cookies(h);
}

/* -- Out -- */

static bool is_clean(const char *s)
{
	return !s[strcspn(s, "\r\n")];
}

/* RFC 9113 8.2.2; TE may say trailers. */
static bool is_connection_header(const struct http_header *x)
{
	if (http_is_framing_header(x->name) || http_name_is(x->name, "upgrade") ||
		http_name_is(x->name, "http2-settings"))
		return true;
	return http_name_is(x->name, "te") && strcasecmp(x->value, "trailers") != 0;
}

static void put(struct http2_fields *f, const char *name, const char *value)
{
	f->v[f->n++] = (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
		strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

static int put_pseudo(struct http2_fields *f, const struct http_head *h, enum http2_head_kind kind)
{
	const char *host = http_head_get(h, "host");

	switch (kind) {
	case HTTP2_REQUEST:
		if (!h->method || !h->target || !host || !is_clean(h->target))
			return -EINVAL;
		put(f, ":method", h->method);
		put(f, ":scheme", "https");
		put(f, ":authority", host);
		put(f, ":path", h->target);
		break;
	case HTTP2_RESPONSE:
	case HTTP2_INTERIM:
		if (h->status < 100 || h->status > 999)
			return -EINVAL;
		snprintf(f->status, sizeof(f->status), "%03d", h->status);
		put(f, ":status", f->status);
		break;
	case HTTP2_TRAILER:
		break;
	}
	return 0;
}

static void put_date(struct http2_fields *f)
{
	time_t now = time(NULL);
	struct tm tm;

	strftime(f->date, sizeof(f->date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	put(f, "date", f->date);
}

int http2_fields_make(
	struct http2_fields *f, const struct http_head *h, enum http2_head_kind kind, uint64_t len)
{
	int err;

	memset(f, 0, sizeof(*f));
	f->v = malloc((h->n_headers + 6) * sizeof(*f->v));
	if (!f->v)
		return -ENOMEM;
	err = put_pseudo(f, h, kind);
	for (size_t i = 0; !err && i < h->n_headers; i++) {
		const struct http_header *x = &h->headers[i];

		if (is_connection_header(x) ||
			(kind == HTTP2_REQUEST && http_name_is(x->name, "host")))
			continue;
		if (!x->name[0] || x->name[0] == ':' || !is_clean(x->name) || !is_clean(x->value))
			err = -EINVAL;
		else
			put(f, x->name, x->value);
	}
	if (!err && kind == HTTP2_RESPONSE && !http_head_get(h, "date"))
		put_date(f);
	if (!err && len != UINT64_MAX) {
		snprintf(f->length, sizeof(f->length), "%" PRIu64, len);
		put(f, "content-length", f->length);
	}
	if (err)
		http2_fields_fini(f);
	return err;
}

void http2_fields_fini(struct http2_fields *f)
{
	free(f->v);
	f->v = NULL;
	f->n = 0;
}
