/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the client's side share. An exchange is the same to its owner whatever the
 * version: http_exchange.c hands on to the version's table; HTTP/1.1 is http_client.c, HTTP/2
 * http2_client.c.
 */
#pragma once

#include "common/http.h"
#include "common/list.h"

struct http_client_impl {
	bool is_http2;
	struct stream *(*stream)(const struct http_client *c);
	bool (*is_idle)(const struct http_client *c);
	const char *(*error)(const struct http_client *c);
	enum tls_verify (*verify)(const struct http_client *c);
	int (*send)(struct http_client *c, const struct http_head *head, enum http_framing framing,
		uint64_t len);
	int (*write)(struct http_client *c, const void *data, size_t len);
	int (*end)(struct http_client *c, const struct http_head *trailers);
	bool (*is_full)(const struct http_client *c);
	uint64_t (*length)(const struct http_client *c);
	void (*pause)(struct http_client *c);
	void (*resume)(struct http_client *c);
	struct stream *(*handover)(struct http_client *c);
	void (*close)(struct http_client *c, int why);
};

struct http_client {
	const struct http_client_impl *impl;
	const struct http_client_ops *ops;
	void *data;
	const struct http_head *head, *trailers;
	bool is_answered; /* a byte came since the request */
	uint64_t born;	  /* loop time, ms */
};
