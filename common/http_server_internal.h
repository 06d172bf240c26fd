/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the server's side share: connections and requests (http_server.c), answers and
 * handover (http_response.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/http_internal.h"

struct http_request {
	struct http_conn *conn;
	void *data;
	bool is_live;	/* between on_request and on_end */
	bool body_done; /* read whole */
	bool is_paused;
	bool head_sent;
	bool continue_sent;
	bool continue_held; /* the owner says when */
	int status;	    /* of the response, 0 before it began */
	struct http_body_out out;
};

/* What the connection waits for; decides the deadline. */
enum conn_wait {
	WAIT_NOTHING, /* the owner answers, or the stream has its own deadline */
	WAIT_IDLE,
	WAIT_HEAD,
	WAIT_CONTINUE, /* for the owner's word, or the client's patience to end */
	WAIT_BODY,
};

struct http_conn {
	struct stream *stream; /* NULL once it closed or was handed over */
	uv_timer_t timer;
	const struct http_server_ops *ops;
	void *data;
	struct http_parser parser;
	struct http_request req;	    /* the one under way */
	struct stream_limits stream_limits; /* as they were, for a handover */
	enum conn_wait wait;
	uint64_t rate_mark; /* body bytes at the start of the window */
	bool is_running;    /* inside run() */
	bool close_after;   /* the response under way is the last */
	bool is_draining;
	bool is_closing;
	bool is_handed;
	bool eof;
	int why;
	/* Within run(): what is not parsed yet. */
	const char *rest;
	size_t rest_len;
};

/* on_end, once. */
void http_conn_end_request(struct http_conn *c, int why);
/* Sends what is pending, then closes. */
void http_conn_finish(struct http_conn *c, int why);
/* The response is out: the next request is read. */
void http_conn_next(struct http_conn *c);
void http_conn_on_timer_closed(uv_handle_t *handle);
