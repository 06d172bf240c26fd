/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"

/*
 * HTTP/2 of the server's side, behind http.h: the stream is open and has agreed on "h2" (ALPN).
 * http_conn_new comes here by itself. Each request is one of HTTP/1.1 to its owner: Host is
 * :authority, the target :path. At most HTTP2_STREAMS_MAX requests run at a time, and the deadlines
 * of `limits` hold for each; a client that resets, pings or else keeps the connection busy beyond
 * its budget is told to calm down, and hung up on.
 */
struct http_conn *http2_conn_new(struct stream *s, const struct http_server_ops *ops,
	const struct http_limits *limits, void *data);
