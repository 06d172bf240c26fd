/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of a connection share: http2_link.c its life and its bytes, http2_session.c what
 * nghttp2 tells of them, http2_stream.c one stream. */
#pragma once

#include "common/http2_link.h"

/* One field of a head or trailer. 0 or an error of nghttp2's. */
int http2_stream_add_field(struct http2_stream *s, const char *name, size_t name_len,
	const char *value, size_t value_len);
/* The block of fields is whole; ends: so is the message. */
void http2_stream_take_head(struct http2_stream *s, bool ends);
int http2_stream_take_data(struct http2_stream *s, const void *data, size_t len);
void http2_stream_take_end(struct http2_stream *s);
/* What waited in a pause. */
void http2_stream_tell(struct http2_stream *s);
/* It is over: out of its connection, and on_gone. */
void http2_stream_leave(struct http2_stream *s, uint32_t code);
/* The connection's timer by what it has to do. */
void http2_link_arm(struct http2_link *l);
/* Makes l->session, and submits the settings. 0 or -ENOMEM. */
int http2_session_open(struct http2_link *l);
