/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A block of HPACK as a request: what is taken from it and sent on in HTTP/1.1 is one message
 * there, for the same place; and in HTTP/2 it is the same again. */
#include "common/http2_head.h"
#include "common/http_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool is(const nghttp2_nv *nv, const char *name)
{
	return strlen(name) == nv->namelen && !memcmp(name, nv->name, nv->namelen);
}

/* What nghttp2 lets through to us. */
static bool is_valid(const nghttp2_nv *nv)
{
	static const char *const never[] = { "connection", "transfer-encoding", "upgrade",
		"keep-alive", "proxy-connection", "te", ":scheme", ":status" };

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		if (is(nv, never[i]))
			return false;
	}
	if (is(nv, ":method"))
		return nghttp2_check_method(nv->value, nv->valuelen);
	if (is(nv, ":path"))
		return nghttp2_check_path(nv->value, nv->valuelen);
	if (is(nv, ":authority") || is(nv, "host"))
		return nghttp2_check_authority(nv->value, nv->valuelen);
	return nghttp2_check_header_name(nv->name, nv->namelen) &&
	       nghttp2_check_header_value_rfc9113(nv->value, nv->valuelen);
}

/* The status that refuses it, or 0. */
static int take(struct http_head *h, const uint8_t *data, size_t len)
{
	const struct http_limits limits = http_limits_filled(NULL);
	const struct http2_head_in in = { .head = h, .limits = &limits };
	nghttp2_hd_inflater *inflater;
	int status = 0, flags;

	assert(!nghttp2_hd_inflate_new(&inflater));
	do {
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, data, len, 1);

		if (n < 0) {
			status = 400;
			break;
		}
		data += n;
		len -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT && is_valid(&nv))
			status = http2_head_add(
				&in, (char *)nv.name, nv.namelen, (char *)nv.value, nv.valuelen);
	} while (!status && !(flags & NGHTTP2_HD_INFLATE_FINAL) && (len || flags));
	nghttp2_hd_inflate_del(inflater);
	return status ? status : http2_head_finish_request(h);
}

static void check_http1(const struct http_head *h)
{
	const struct http_framing_lines f = { .is_request = true };
	struct http_parser p;
	struct buf b;
	size_t used;

	buf_init(&b, 0);
	assert(!http_encode_head(&b, h, &f));
	assert(!http_parser_init(&p, false, NULL));
	/* It may be beyond what is taken as one head; else it is one, and all of it. */
	if (http_parser_next(&p, (char *)b.data, b.len, &used) == HTTP_EVENT_HEAD) {
		assert(used == b.len);
		assert(!strcmp(p.head.method, h->method) && !strcmp(p.head.target, h->target));
		assert(!strcmp(http_head_get(&p.head, "host"), http_head_get(h, "host")));
		assert(p.length == 0);
	}
	http_parser_fini(&p);
	buf_fini(&b);
}

static void check_http2(const struct http_head *h)
{
	const struct http_limits limits = http_limits_filled(NULL);
	struct http_head again;
	const struct http2_head_in in = { .head = &again, .limits = &limits };
	struct http2_fields f;

	http_head_init(&again);
	assert(!http2_fields_make(&f, h, HTTP2_REQUEST, UINT64_MAX));
	for (size_t i = 0; i < f.n; i++) {
		if (http2_head_add(&in, (char *)f.v[i].name, f.v[i].namelen, (char *)f.v[i].value,
			    f.v[i].valuelen))
			goto out;
	}
	if (http2_head_finish_request(&again))
		goto out;
	assert(!strcmp(again.method, h->method) && !strcmp(again.target, h->target));
	assert(!strcmp(http_head_get(&again, "host"), http_head_get(h, "host")));
out:
	http2_fields_fini(&f);
	http_head_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head h;

	http_head_init(&h);
	if (!take(&h, data, len) && strcmp(h.method, "CONNECT") != 0) {
		check_http1(&h);
		check_http2(&h);
	}
	http_head_fini(&h);
	return 0;
}
