/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/limiter.h"
#include "common/addr.h"
#include "common/buf.h"
#include "common/conf.h"
#include "common/http.h"

/*
 * One HTTP listener of apid: accepts, limits, knows who asks, and collects bodies. What a request
 * means is its owner's business (front_ops).
 *
 * An exchange is one request. It lives until its answer is out or its client gone, and until the
 * owner is not at work on it any more (exchange_begin_work, exchange_end_work).
 */
struct front;

struct exchange {
	struct front *front;
	void *owner;		  /* front_options.arg */
	struct http_request *req; /* NULL: answered, or the client is gone */
	struct addr client;	  /* who asks; behind a trusted proxy, whom that names */
	struct addr host;	  /* the same for what counts per address (v6_len) */
	bool is_secure;		  /* the client speaks TLS, to us or to a trusted proxy */
	struct buf body;
	size_t body_max; /* bytes; the owner may change it in on_head */
	uint64_t began_ns;
	unsigned work;
	bool is_ended;
};

/* Answers of a listener. buckets: how long they took, each its own; the last one has no limit. */
enum { FRONT_BUCKETS = 11 };
extern const uint32_t front_bucket_us[FRONT_BUCKETS - 1];
struct front_stats {
	uint64_t by_class[6]; /* 1xx … 5xx */
	uint64_t buckets[FRONT_BUCKETS], sum_us;
};

struct front_ops {
	size_t exchange_size; /* of the owner's struct, whose first member is the exchange */
	/* The head is there. It may be answered; if not, the body is collected. */
	void (*on_head)(struct exchange *x);
	/* The body is whole, also when there is none. Not called once it is answered. */
	void (*on_body)(struct exchange *x);
	/* The request cannot be served: 413 too large a body, 429 asked too often (retry_s), 503 no
	 * memory. To be answered. */
	void (*on_refused)(struct exchange *x, int status, const char *why, unsigned retry_s);
	/* Last callback: what the owner holds is freed. May be NULL. */
	void (*on_free)(struct exchange *x);
};

struct front_options {
	const char *name; /* in the log */
	struct endpoint at;
	bool freebind;	     /* the address may not exist yet */
	struct tls_ctx *tls; /* NULL = plain; kept, not taken over */
	size_t connections_max;
	size_t connections_per_address; /* 0 = no limit of its own */
	/* How many bits of an IPv6 address tell clients apart for what counts per address: 64 on
	 * the Internet, where one host has as many addresses as it likes. 0 = all. */
	uint8_t v6_len;
	size_t body_max;
	uint32_t rate, burst; /* requests per second and address; 0 = no limit */
	/* Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Kept, not copied. */
	const struct conf_prefixes *trusted;
	const struct front_ops *ops;
	void *arg;
};

/* 0 or -errno, which is logged. */
int front_open(uv_loop_t *loop, const struct front_options *options, struct front **out);
/* Another certificate, for connections from now on. */
void front_set_tls(struct front *f, struct tls_ctx *tls);
const struct front_stats *front_get_stats(const struct front *f);
/* Requests under way end without an answer. NULL is allowed. */
void front_close(struct front *f);
void front_free(struct front *f); /* after the loop has ended */

/* Work that outlasts the callback: the exchange stays until it ends. */
void exchange_begin_work(struct exchange *x);
void exchange_end_work(struct exchange *x);
/* Answers, once; nothing when the client is gone. */
void exchange_answer(struct exchange *x, int status, const struct http_head *extra,
	const char *content_type, const void *body, size_t len);
/* Another protocol from here on: answers with head (101) and gives the stream, as
 * http_request_handover does; the connection counts for the listener no more. NULL: not possible,
 * and not answered. */
struct stream *exchange_handover(struct exchange *x, const struct http_head *head);
/* The head; NULL when the client is gone or has its answer. */
const struct http_head *exchange_head(const struct exchange *x);
/* Is the Content-Type that, whatever its parameters? */
bool exchange_has_type(const struct exchange *x, const char *type);
