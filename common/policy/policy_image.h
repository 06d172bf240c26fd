/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/timer.h"

/*
 * Private to common/policy: a compiled image that a record of a topic names by its digest. It is
 * fetched, mapped and checked in the work pool, swapped in place of the last good one, and asked
 * for again while it cannot be had.
 */
struct policy;

struct policy_image_ops {
	enum bus_topic topic;
	const char *name; /* "domain set" */
	/* In the work pool: maps and checks the file; *out is the caller's. 0 or -errno. */
	int (*open)(const char *path, void **out);
	/* In the loop: what was opened takes the place of what is in force, which is returned in
	 * *old (NULL: there was none). */
	void (*swap)(struct policy *p, void *opened, void **old);
	/* In the work pool. */
	void (*close)(void *opened);
};

struct policy_image {
	struct policy *policy;
	const struct policy_image_ops *ops;
	uv_loop_t *loop;
	struct image_job *job;	     /* under way; NULL = none */
	char wanted[65], mapped[65]; /* digests, "" = none */
	struct timer retry;
	uint64_t retry_ms;
	uint64_t gen;	   /* of the topic as last delivered */
	uint64_t in_force; /* of the topic when the mapped one was */
};

/* im's first two fields are filled. 0 or -errno. */
int policy_image_init(struct policy_image *im, uv_loop_t *loop);
void policy_image_close(struct policy_image *im, void (*on_closed)(struct timer *t));
/* A record was delivered. */
void policy_image_want(struct policy_image *im, const char *digest);
/* A batch of the topic ended: fetches what is wanted, or reports the generation as applied. */
void policy_image_settle(struct policy_image *im, uint64_t gen);
