/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"

/*
 * The body of one message on its way through a chain of streaming stages: decode → filters →
 * encode → the sink. Bytes are pushed in at the front and come out at the sink. No I/O; nothing is
 * shared between chains.
 *
 * Back-pressure: stages that make much of little (decoders) stop when the sink is full or the
 * turn's share is used up; what was not taken waits in the chain, the source is told to pause
 * (BODY_LATER), and body_chain_resume goes on.
 */
enum {
	BODY_ALL = 0,	/* all taken (write), complete (end) */
	BODY_LATER = 1, /* not yet: pause the source; go on with body_chain_resume */
};

struct body_chain;
struct body_stage;

struct body_stage_ops {
	/* How many bytes were taken (all, but for decoders), or -errno: the body is broken. */
	ssize_t (*write)(struct body_stage *s, const void *data, size_t len);
	/* Gives on what needs no further input; NULL: nothing is ever kept for that long. */
	int (*flush)(struct body_stage *s);
	/* Goes on with output that was stopped. May be NULL. */
	int (*resume)(struct body_stage *s);
	/* No more input: gives the rest, then ends the next (body_pass_end). BODY_ALL, BODY_LATER
	 * (called again then) or -errno. */
	int (*end)(struct body_stage *s);
	void (*free)(struct body_stage *s);
};

/* The head of a stage's own struct. */
struct body_stage {
	const struct body_stage_ops *ops;
	struct body_chain *chain;
	struct body_stage *next; /* NULL: the sink */
};

struct body_sink {
	int (*write)(void *arg, const void *data, size_t len); /* takes all; 0 or -errno */
	bool (*is_full)(void *arg);			       /* may be NULL: never */
	void *arg;
};

struct body_chain {
	struct body_stage *first;
	struct body_sink sink;
	struct buf waiting; /* came, not yet taken by the first stage */
	size_t turn_left;   /* bytes the sink may get before others have their turn */
	bool has_ended;	    /* the source's end came */
	bool is_over;	    /* and the sink has all */
	bool has_enough;    /* a stage needs no more input: the source may be cut off */
};

/* Bytes that one call may give to the sink; the next goes on in another turn of the loop. */
#define BODY_TURN (512u << 10)

void body_chain_init(struct body_chain *c, const struct body_sink *sink);
/* Frees the stages. */
void body_chain_fini(struct body_chain *c);
/* Takes the stage over. NULL (no memory) is refused with -ENOMEM. */
int body_chain_add(struct body_chain *c, struct body_stage *s);

/* BODY_ALL, BODY_LATER or -errno; after an error only body_chain_fini. */
int body_chain_write(struct body_chain *c, const void *data, size_t len);
int body_chain_end(struct body_chain *c);
/* The sink has room, or another turn has come. */
int body_chain_resume(struct body_chain *c);

/* For stages: to the next stage or the sink. As ops->write; the sink takes all. */
ssize_t body_pass(struct body_stage *s, const void *data, size_t len);
int body_pass_flush(struct body_stage *s);
int body_pass_end(struct body_stage *s);
/* Should output stop here? */
bool body_is_stopped(const struct body_chain *c);
