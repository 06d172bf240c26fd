/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/list.h"
#include "common/tls.h"
#include "dnsd/upstream_cookie.h"
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/*
 * One upstream resolver and the channels to it. A TLS upstream (DoT, RFC 7858) is only ever asked
 * over TLS with the configured name proven; a UDP upstream over UDP, and over TCP when an answer
 * was cut.
 *
 * Glossary: an exchange is one question put to one upstream; a channel is a socket or connection
 * that carries many of them, told apart by a random id.
 */
enum upstream_kind { UPSTREAM_TLS, UPSTREAM_UDP };

struct upstream_spec {
	enum upstream_kind kind;
	struct endpoint endpoint;
	char name[254]; /* that the certificate must prove; "" for UDP */
};
/* tls://ADDR:PORT#NAME, udp://ADDR:PORT. -EINVAL, why says it. */
int upstream_parse(const char *text, struct upstream_spec *out, char *why, size_t why_len);

struct upstream;
struct exchange_table;

struct exchange {
	struct list node; /* of its channel; a ring of its own when idle */
	void *owner;
	struct upstream *upstream;    /* NULL when idle */
	struct upstream *asked;	      /* the last one, also when it has ended */
	struct exchange_table *table; /* of the channel; NULL while waiting for a connection */
	uint16_t id;
	uint64_t sent_ms;
	const uint8_t *query; /* kept by the owner until the exchange ended */
	size_t query_len;
	size_t opt_len_at; /* where the RDLENGTH of its OPT record stands, which ends it */
	bool is_repeated;  /* asked once more because of a cookie */
	/* 0: taken, the exchange has ended. -EBADMSG: no answer to it, it goes on. -EMSGSIZE: cut,
	 * it goes on over TCP. authentic: the channel proved who answered. */
	int (*on_answer)(struct exchange *x, const uint8_t *msg, size_t len, bool authentic);
	/* It has ended without an answer. */
	void (*on_failure)(struct exchange *x, int status);
};
void exchange_init(struct exchange *x);

/* Room for a question as it is sent. */
#define EXCHANGE_QUERY_MAX 512
/* Writes the question with its id and, to a UDP upstream, the cookie. Returns the length, 0 when it
 * is too long. */
size_t exchange_write(const struct exchange *x, uint8_t out[static EXCHANGE_QUERY_MAX]);

/* Exchanges under way on one channel, by id. */
#define EXCHANGE_BUCKETS 64
struct exchange_table {
	struct list buckets[EXCHANGE_BUCKETS];
	unsigned count;
};
void exchange_table_init(struct exchange_table *t);
/* Gives it an id that is free in the table. */
void exchange_table_add(struct exchange_table *t, struct exchange *x, uint16_t random);
struct exchange *exchange_table_find(struct exchange_table *t, uint16_t id);
void exchange_table_remove(struct exchange *x);
/* Ends all of them with a failure; the channel must be unusable by then. */
void exchange_table_fail(struct exchange_table *t, int status);

/* Random numbers without a system call each. */
struct entropy {
	uint8_t bytes[512];
	size_t left;
};
uint16_t entropy_get16(struct entropy *e);

struct udp_channel;
struct stream_channel;

struct upstream {
	uv_loop_t *loop;
	struct upstream_spec spec;
	struct tls_ctx *tls; /* NULL for UDP */
	struct entropy *entropy;
	struct udp_channel *udp;
	struct stream_channel *stream;
	struct upstream_cookie cookie; /* of a UDP upstream */
	uint32_t rtt_ms;	       /* smoothed */
	uint64_t heard_ms;	       /* last answer, monotonic */
	unsigned failures;	       /* in a row */
	uint64_t down_until_ms;	       /* monotonic; others are preferred until then */
};

/* tls and entropy outlive the upstream. */
int upstream_open(uv_loop_t *loop, struct upstream *u, const struct upstream_spec *spec,
	struct tls_ctx *tls, struct entropy *entropy);
/* Exchanges under way end with -ECANCELED first; the channels free themselves in the loop. */
void upstream_close(struct upstream *u);
/* 0 or -errno, then no callback comes. May fail the exchange later, never within the call. */
int upstream_ask(struct upstream *u, struct exchange *x);
/* The owner waits no longer. Nothing happens to an idle exchange. */
void upstream_cancel(struct exchange *x);
/* Notes for the choice among upstreams: an answer, a failure (or silence). */
void upstream_note_answer(struct upstream *u, uint64_t took_ms);
void upstream_note_failure(struct upstream *u);
/* Lower is better: milliseconds, and far more while it is down. */
uint64_t upstream_score(const struct upstream *u, uint64_t now_ms);
