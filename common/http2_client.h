/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"

/*
 * HTTP/2 of the client's side: one connection to a server carries many exchanges, each a `struct
 * http_client` of its own that is used once. To its owner it is one of HTTP/1.1, but that no other
 * exchange follows on it (http_client_is_idle is false from http_client_send on), and that there is
 * no handover. Pushes are refused; frames of ORIGIN and ALTSVC are not looked at.
 *
 * http_client_error says "http2: refused" and so on; on_close's `why` is -ECONNRESET for a stream
 * that the server reset or left, -EAGAIN when it did nothing for that request (RFC
 * 9113 8.7), and -EOPNOTSUPP when it wants HTTP/1.1 for that (HTTP_1_1_REQUIRED).
 */
struct http2_carrier;

/* Exactly once, the last word of it: the pointer is gone afterwards. */
typedef void (*http2_carrier_on_close)(struct http2_carrier *c, void *data);

/* Takes the stream over, which is open and has agreed on "h2". NULL: out of memory, the stream is
 * closed. limits: as of http_client_new, for each exchange; idle_ms ends a carrier at rest. */
struct http2_carrier *http2_carrier_new(struct stream *s, const struct http_limits *limits,
	http2_carrier_on_close on_close, void *data);
void *http2_carrier_data(const struct http2_carrier *c);
struct stream *http2_carrier_stream(const struct http2_carrier *c);
uint64_t http2_carrier_age_ms(const struct http2_carrier *c);
/* May another exchange begin, by what the server allows and we do? */
bool http2_carrier_has_room(const struct http2_carrier *c);
/* Has the server ever refused one that it allows? */
bool http2_carrier_has_refused(const struct http2_carrier *c);
/* Exchanges under way. */
size_t http2_carrier_count(const struct http2_carrier *c);
/* A client for one exchange, its callbacks to be set. NULL: no room, or out of memory. */
struct http_client *http2_carrier_add(struct http2_carrier *c);
/* No more exchanges; closes when the last is over. */
void http2_carrier_drain(struct http2_carrier *c);
/* At once. */
void http2_carrier_close(struct http2_carrier *c, int why);
