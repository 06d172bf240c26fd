/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/upstream.h"

/* What the files of upstream.h's implementation share: upstream.c has the request and connecting,
 * upstream_answer.c what comes back, upstream_join.c the two legs made one tunnel,
 * upstream_relay.c a request and a connection made one. */

/* Callbacks of the server's leg (http_client_ops). */
void upstream_on_interim(struct http_client *c, const struct http_head *from);
void upstream_on_response(struct http_client *c);
void upstream_on_body(struct http_client *c, const void *data, size_t len);
void upstream_on_end(struct http_client *c);
void upstream_on_told(struct http_client *c);

/* After 101. x is gone afterwards. */
void upstream_join_upgrade(struct exchange *x);
/* After 101, for a client of HTTP/2. x may be gone afterwards. */
void upstream_join_relay(struct exchange *x);
/* Bytes of the client for x->relay. */
void upstream_relay_write(struct exchange *x, const void *data, size_t len);
/* CONNECT that is passed through: the client is told 200. x is gone afterwards. */
void upstream_join_connect(struct exchange *x, struct stream *server);
