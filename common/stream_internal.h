/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of stream.h's implementation share. Nothing else includes it. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/buf.h"
#include "common/stream.h"

/* Of what is given back, or read while paused, bytes. */
#define STREAM_UNREAD_MAX (1024 * 1024)

enum stream_state {
	STREAM_CONNECTING,
	STREAM_ACCEPTED, /* plain, on_open to come */
	STREAM_HANDSHAKE,
	STREAM_OPEN,
	STREAM_FINISHING, /* sends the rest, reads and drops */
	STREAM_CLOSED,
};

struct stream {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} u;
	uv_timer_t timer; /* the deadline of the state */
	uv_idle_t kick;	  /* runs the pump from the loop */
	uv_connect_t connect_req;
	uv_shutdown_t shutdown_req;
	unsigned open_handles;
	const struct stream_ops *ops;
	void *data;
	struct stream_limits limits;
	enum stream_state state;
	bool is_pipe;
	bool paused;
	bool reading; /* uv_read_start is in force */
	bool raw_eof; /* the socket ended */
	bool eof_delivered;
	bool is_shut;	    /* no more writes by the owner */
	bool shutdown_sent; /* uv_shutdown was asked for */
	bool want_drain;
	bool pumping;
	int why;
	int finish_why;
	size_t dropped; /* bytes read while finishing */
	struct tls_ctx *tls_ctx;
	struct tls *tls;
	struct buf unread; /* given back, or read while paused */
	struct buf corked; /* written since stream_cork */
	bool is_corked;
	size_t pending;
	uint64_t state_since, last_read, last_write; /* loop time, ms */
	uint64_t bytes_read, bytes_written;
	struct sockaddr_in6 peer; /* an internet address once it was asked for; family 0 before */
	char error[160];
};

void stream_set_state(struct stream *s, enum stream_state state);
void stream_set_error(struct stream *s, const char *what, int err);
/* Sends what the TLS engine has to send. */
void stream_flush_tls(struct stream *s);
/* uv_shutdown, once. */
void stream_send_fin(struct stream *s);
/* As many callbacks as there is something for; then reading goes on or rests. Nothing within a
 * callback. */
void stream_pump(struct stream *s);
/* The pump, from the loop. */
void stream_kick(struct stream *s);
/* Starts or stops reading from the socket as state and pause want it. */
void stream_update_reading(struct stream *s);
/* NULL: stream_default_limits; marks that are 0 are theirs. */
void stream_apply_limits(struct stream *s, const struct stream_limits *limits);
