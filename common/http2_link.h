/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One HTTP/2 connection (RFC 9113), either side's: frames in and out over a stream, flow control,
 * and what guards against peers that make work for nothing. nghttp2 has the protocol; requests and
 * responses are made of it in http2_server.c and http2_client.c.
 *
 * Flow control: each of a connection's streams has a window of its own that is given back as its
 * owner takes the bytes; one that is held back keeps at most its window, in memory, and does not
 * stop the others. The connection's window is given back at once, unless all streams together hold
 * too much. Output is taken from the streams only while the socket takes it.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/buf.h"
#include "common/http.h"
#include "common/list.h"
#include "common/stream.h"

#define HTTP2_STREAMS_MAX 100
/* Of one stream's output: full above, to go on below. */
#define HTTP2_OUT_HIGH (64 * 1024)
#define HTTP2_OUT_LOW  (16 * 1024)

/* So many at once, and so many a second in the long run. */
struct http2_budget {
	uint32_t burst, per_s;
	uint32_t left;
	uint64_t since; /* loop time, ms */
};
void http2_budget_init(struct http2_budget *b, uint32_t burst, uint32_t per_s, uint64_t now);
/* False: it is used up. */
bool http2_budget_take(struct http2_budget *b, uint64_t now);

struct http2_link;

/* What a side lets the other send before it is taken. */
struct http2_windows {
	uint32_t stream, conn; /* bytes */
	size_t held_max;       /* of all streams that hold theirs back */
};

struct http2_stream {
	struct list node;
	struct http2_link *link;
	int32_t id; /* 0: not begun */
	struct http_head head, trailers;
	size_t head_bytes;
	bool has_head;	/* the final one is whole: further fields are trailers */
	int head_error; /* status to refuse with, 0 = none */
	struct buf in;	/* received and not told */
	uint64_t received;
	bool is_paused;	  /* nothing is told */
	bool is_ended_in; /* END_STREAM came */
	bool end_told;
	bool wants_telling; /* resumed: from the loop */
	bool is_over;	    /* to nghttp2, but not all was told */
	bool is_dropped;    /* it need not be */
	struct buf out;	    /* written and not sent; out_at of it are */
	size_t out_at;
	bool is_full, wants_drain;
	bool is_ending;			/* the owner wrote its last */
	struct http_head *out_trailers; /* NULL = none */
	bool is_ended_out;		/* END_STREAM went out */
	uint64_t sent_at;		/* loop time of the last progress of output, ms */
	uint64_t rate_mark, rate_since;
};

/* What a side does. All but on_close come while the connection lives; on_close is the last. */
struct http2_link_ops {
	/* A peer's stream begins. NULL = no memory. */
	struct http2_stream *(*on_begin)(struct http2_link *l, int32_t id);
	/* The head is whole (or refused: head_error); an interim one of a response, too. */
	void (*on_head)(struct http2_stream *s);
	void (*on_data)(struct http2_stream *s, const void *data, size_t len);
	/* All was told. */
	void (*on_end)(struct http2_stream *s);
	void (*on_drain)(struct http2_stream *s);
	/* It is over, in whatever way; it leaves the connection, and the owner frees it. */
	void (*on_gone)(struct http2_stream *s, uint32_t code);
	/* What came at one time was told. May be NULL. */
	void (*on_told)(struct http2_link *l);
	/* Once a second while there are streams, and when idle_ms passed without. */
	void (*on_tick)(struct http2_link *l);
	/* The connection is over: the streams are gone already; the link's memory is the owner's
	 * again. */
	void (*on_close)(struct http2_link *l, int why);
};

struct http2_link {
	nghttp2_session *session;
	struct stream *stream; /* NULL once it closed */
	const struct http2_link_ops *ops;
	bool is_server;
	bool is_closing;
	bool is_refused; /* the peer took more than its budget */
	int why;
	uv_idle_t kick;
	uv_timer_t tick;
	unsigned handles; /* open */
	struct list streams;
	size_t n_streams;
	struct http_limits limits;
	const struct http2_windows *windows;
	uint32_t idle_ms;  /* without streams, 0 = no end */
	uint32_t stall_ms; /* output that the peer does not take */
	size_t held, owed; /* bytes in streams' `in`; connection window not given back */
	struct http2_budget control, resets;
	uint64_t head_since; /* a header block is under way since; 0 = none */
	int32_t head_id;     /* of that stream */
};

/* Takes an open stream over and sends the settings. 0, or -errno: the stream is closed then, and
 * there is no link. */
int http2_link_open(struct http2_link *l, struct stream *s, bool is_server,
	const struct http2_link_ops *ops, const struct http_limits *limits);
/* Ends it at once: each stream is gone, then the link (from the loop). Idempotent. */
void http2_link_close(struct http2_link *l, int why);
/* No more streams: GOAWAY, and the end when the last one is over. */
void http2_link_drain(struct http2_link *l);
/* Ends it for what the peer has done, when what it sent at one time is read. */
void http2_link_refuse(struct http2_link *l);
/* Something is to be told or sent: from the loop. */
void http2_link_kick(struct http2_link *l);
uint64_t http2_link_now(const struct http2_link *l);

/* A stream of that link. id 0: to be submitted. */
void http2_stream_init(struct http2_stream *s, struct http2_link *l, int32_t id);
void http2_stream_fini(struct http2_stream *s);
void http2_stream_pause(struct http2_stream *s);
void http2_stream_resume(struct http2_stream *s);
/* The data source of its output. */
void http2_stream_source(struct http2_stream *s, nghttp2_data_provider *out);
/* 0 or -errno. Copies. */
int http2_stream_write(struct http2_stream *s, const void *data, size_t len);
/* trailers may be NULL. */
int http2_stream_end(struct http2_stream *s, const struct http_head *trailers);
void http2_stream_reset(struct http2_stream *s, uint32_t code);
/* Has the peer left no window, for longer than stall_ms, to output that waits? */
bool http2_stream_is_stalled(const struct http2_stream *s);
