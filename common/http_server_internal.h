/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the server's side share. A connection and a request are the same to their owner
 * whatever the version: http_request.c has what is common, and hands the rest to the version's
 * table; HTTP/1.1 is http_server.c (connections, requests) and http_response.c (answers, handover),
 * HTTP/2 is http2_server.c and http2_response.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/http_internal.h"
#include "common/list.h"

/* What a version does. Those on requests are called while the request is live and its connection is
 * not closing. */
struct http_conn_impl {
	bool is_http2;
	void (*close)(struct http_conn *c, int why);
	void (*drain)(struct http_conn *c);
	/* is_paused is set already. */
	void (*pause)(struct http_request *req);
	void (*resume)(struct http_request *req);
	void (*say_continue)(struct http_request *req);
	int (*interim)(struct http_request *req, const struct http_head *head);
	int (*start)(struct http_request *req, const struct http_head *head,
		enum http_framing framing, uint64_t len);
	/* After start. */
	int (*write)(struct http_request *req, const void *data, size_t len);
	int (*end)(struct http_request *req, const struct http_head *trailers);
	void (*abort)(struct http_request *req);
	/* All in one. */
	int (*respond)(struct http_request *req, const struct http_head *head, const void *body,
		size_t len);
	void (*cork)(struct http_request *req);
	void (*flush)(struct http_request *req);
	bool (*is_full)(const struct http_request *req);
	struct stream *(*handover)(struct http_request *req, const struct http_head *head);
};

struct http_request {
	struct http_conn *conn;
	void *data;
	const struct http_head *head, *trailers;
	uint64_t length; /* as declared; 0 = none, UINT64_MAX = not known beforehand */
	bool is_live;	 /* between on_request and on_end */
	bool body_done;	 /* read whole */
	bool is_paused;
	bool head_sent;
	bool continue_sent;
	bool continue_held; /* the owner says when */
	int status;	    /* of the response, 0 before it began */
	struct http_body_out out;
};

struct http_conn {
	const struct http_conn_impl *impl;
	struct stream *stream; /* NULL once it closed or was handed over */
	const struct http_server_ops *ops;
	void *data;
	bool is_draining;
	bool is_closing;
	bool is_handed;
	int why;
};

/* on_end, once. */
void http_request_finish(struct http_request *req, int why);

/* -- HTTP/1.1 -- */

/* What the connection waits for; decides the deadline. */
enum conn_wait {
	WAIT_NOTHING, /* the owner answers, or the stream has its own deadline */
	WAIT_IDLE,
	WAIT_HEAD,
	WAIT_CONTINUE, /* for the owner's word, or the client's patience to end */
	WAIT_BODY,
};

struct http1_conn {
	struct http_conn base;
	uv_timer_t timer;
	struct http_parser parser;
	struct http_request req;	    /* the one under way */
	struct stream_limits stream_limits; /* as they were, for a handover */
	enum conn_wait wait;
	uint64_t rate_mark; /* body bytes at the start of the window */
	bool is_running;    /* inside run() */
	bool close_after;   /* the response under way is the last */
	bool eof;
	/* Within run(): what is not parsed yet. */
	const char *rest;
	size_t rest_len;
};

static inline struct http1_conn *http1_conn_of(struct http_conn *c)
{
	return container_of(c, struct http1_conn, base);
}

/* At once. */
void http1_conn_close(struct http1_conn *c, int why);
/* Sends what is pending, then closes. */
void http1_conn_finish(struct http1_conn *c, int why);
/* The response is out: the next request is read. */
void http1_conn_next(struct http1_conn *c);
void http1_conn_on_timer_closed(uv_handle_t *handle);

/* Of the table. */
int http1_response_interim(struct http_request *req, const struct http_head *head);
int http1_response_start(struct http_request *req, const struct http_head *head,
	enum http_framing framing, uint64_t len);
int http1_response_write(struct http_request *req, const void *data, size_t len);
int http1_response_end(struct http_request *req, const struct http_head *trailers);
void http1_response_abort(struct http_request *req);
int http1_respond(
	struct http_request *req, const struct http_head *head, const void *body, size_t len);
void http1_response_cork(struct http_request *req);
void http1_response_flush(struct http_request *req);
bool http1_response_is_full(const struct http_request *req);
struct stream *http1_request_handover(struct http_request *req, const struct http_head *head);
