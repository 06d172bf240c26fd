/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/timer.h"
#include "fwd/conntrack.h"

/*
 * After a change that took something away, the connection table's entries of those concerned go, a
 * little later than the rules: until then the next packet of a flow meets the refusal, so that the
 * device hears of it (F9). The table is read in libuv's work pool, the loop goes on meanwhile.
 */
enum { CUT_DELAY_MS = 1500 };

struct cut {
	struct conntrack_targets due, running;
	uint32_t due_epoch, running_epoch;
	struct timer timer;
	uv_work_t work;
	bool working, closing;
	int err; /* of the last run */
	struct conntrack_result result;
	uint64_t deleted, runs; /* so far */
};

int cut_open(struct cut *c, uv_loop_t *loop);
/* Ends the timer; a run that goes on ends by itself, and the loop with it. */
void cut_close(struct cut *c);
void cut_fini(struct cut *c);
/* The rules of this epoch are in force: takes all of targets, and deletes their entries
 * CUT_DELAY_MS from now but those approved under the epoch. Nothing when there are none. */
void cut_schedule(struct cut *c, struct conntrack_targets *targets, uint32_t epoch);
