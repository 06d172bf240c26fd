/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/timer.h"
#include "proxyd/pipes.h"
#include "proxyd/poller.h"

/*
 * Two sockets joined byte for byte: large transfers by splice(2) through a lent pipe, small ones
 * through one buffer that all share; each direction with back-pressure and half-close. An idle one
 * costs its struct and two descriptors.
 */

/* What a connection waits for; each has a time limit that progress begins anew. */
enum splice_wait {
	SPLICE_WAIT_HELLO,   /* its owner: the client's first bytes */
	SPLICE_WAIT_CONNECT, /* its owner: who has a limit of its own */
	SPLICE_WAIT_ANSWER,  /* its owner: the server's first bytes */
	SPLICE_IDLE,	     /* open, nothing to do */
	SPLICE_STALLED,	     /* open, somebody takes nothing */
	SPLICE_WAITS
};

#define SPLICE_BUFFER_LEN 65536

/* What all share. */
struct splicer {
	uv_loop_t *loop;
	struct poller *poller;
	struct pipes *pipes;
	uint8_t *buffer; /* of SPLICE_BUFFER_LEN; its content lasts until anybody is called */
	struct list waits[SPLICE_WAITS];  /* struct splice, the longest waiting first */
	uint32_t limits_ms[SPLICE_WAITS]; /* 0 = none */
	struct timer tick;
	size_t count;
	uint64_t bytes; /* moved since the start */
};

struct splice;

struct splice_end {
	struct poll_watch watch; /* fd -1: not there yet */
	struct splice *splice;
	bool is_readable, is_writable;
	bool is_ending; /* what can be read has an end */
	bool has_ended; /* and it was reached */
	bool is_shut;	/* we send no more */
};

/* From one end to the other. */
struct splice_way {
	uint8_t *rest; /* goes out first; malloc'ed, NULL = nothing */
	size_t rest_at, rest_len;
	struct pipe *pipe; /* NULL = none needed */
	bool is_bulk;
	uint64_t bytes; /* moved so far */
};

enum splice_side { SPLICE_CLIENT, SPLICE_SERVER };

/* Embedded in its owner's object. */
struct splice {
	struct list node; /* in splicer.waits */
	struct splicer *splicer;
	enum splice_wait wait;
	uint64_t since; /* loop time */
	struct splice_end ends[2];
	struct splice_way ways[2]; /* by the side that they come from */
	/* Before it is open: an end is ready (in is_readable …). */
	void (*on_ready)(struct splice *s);
	/* It is over, by both ends (0), a limit (-ETIMEDOUT) or an error: the owner calls
	 * splice_close and frees. */
	void (*on_end)(struct splice *s, int why);
};

/* idle_ms: limit of SPLICE_IDLE. 0 or -errno; splicer_close in any case. */
int splicer_open(struct splicer *r, uv_loop_t *loop, uint32_t idle_ms);
/* All of its splices were closed. */
void splicer_close(struct splicer *r);

void splice_init(struct splicer *r, struct splice *s, enum splice_wait wait);
/* The end's descriptor is there, and its readiness is told from now on. 0 or -errno. */
int splice_watch(struct splice *s, enum splice_side side, int fd);
void splice_set_wait(struct splice *s, enum splice_wait wait);
/* Reads into the buffer: bytes, 0 at the end, -EAGAIN or -errno. */
ssize_t splice_read(struct splice *s, enum splice_side from);
/* Bytes to go out first on the way from a side; what is there already comes before. Copied. 0 or
 * -ENOMEM. */
int splice_put(struct splice *s, enum splice_side from, const void *data, size_t len);
/* Sends what splice_put left. 0: all went; -EAGAIN; -errno. */
int splice_flush(struct splice *s, enum splice_side from);
/* From here on bytes flow both ways; on_end may come from within. */
void splice_start(struct splice *s);
/* Ends both connections; reset: by RST. The memory may be freed at once. */
void splice_close(struct splice *s, bool reset);
/* Closes a connection by RST, at once. */
void splice_reset(int fd);
