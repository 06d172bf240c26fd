/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/timer.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * What is open and was allowed: judged again whenever policy changes, and every second, since what
 * was allowed may have an end; what is not allowed any more is cut (SPEC F9). Many are judged in
 * several turns of the loop.
 */
struct flow;

struct flow_ops {
	/* By the policy of now. */
	bool (*is_allowed)(struct flow *f);
	/* Ends it, and removes it. */
	void (*cut)(struct flow *f);
};

/* Embedded in its owner's object. */
struct flow {
	struct list node;
	uint64_t epoch; /* that it was judged in */
	const struct flow_ops *ops;
};

struct flows {
	struct list list; /* struct flow; the oldest epoch first */
	uint64_t epoch;
	uint64_t cut;	     /* since the start */
	uint64_t changed_at; /* loop time of the last change of policy */
	uv_idle_t idle;	     /* runs while some are of an older epoch */
	struct timer tick;
};

void flows_init(struct flows *fs, uv_loop_t *loop);
/* All were removed. */
void flows_close(struct flows *fs);
/* Just judged, and allowed. */
void flow_add(struct flows *fs, struct flow *f, const struct flow_ops *ops);
/* Idempotent, also for one that was zeroed and never added. */
void flow_remove(struct flow *f);
/* Policy has changed. */
void flows_judge(struct flows *fs);
/* Has all that is open been judged in that epoch, or since? */
bool flows_are_judged(const struct flows *fs, uint64_t epoch);
