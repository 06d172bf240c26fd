/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads as HTTP/2 has them (RFC 9113 section 8) from and to the model of http.h. Pure. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http.h"

/* A head that is being received, field by field. */
struct http2_head_in {
	struct http_head *head;
	const struct http_limits *limits;
	bool is_trailer;
};

/*
 * One field, of names and values that nghttp2 found valid. 0; an HTTP status to refuse a request
 * with (431, 414, 400: several hosts, user info or none of it is for the caller); -ENOMEM.
 * :authority becomes Host; :path the target.
 */
int http2_head_add(const struct http2_head_in *in, const char *name, size_t name_len,
	const char *value, size_t value_len);
/* The request's head is whole: crumbs of cookies are joined (8.2.3). 0, a status, or -ENOMEM. */
int http2_head_finish_request(struct http_head *h);

/* The fields to send; strings stay the head's. free() it. */
struct http2_fields {
	nghttp2_nv *v;
	size_t n;
	char status[4];
	char length[24];
	char date[40];
};
enum http2_head_kind { HTTP2_REQUEST, HTTP2_RESPONSE, HTTP2_INTERIM, HTTP2_TRAILER };
/* `len` UINT64_MAX: no Content-Length of ours. What is a connection's in HTTP/1.1 is left out. 0,
 * -EINVAL: unfit, -ENOMEM. */
int http2_fields_make(
	struct http2_fields *f, const struct http_head *h, enum http2_head_kind kind, uint64_t len);
void http2_fields_fini(struct http2_fields *f);
