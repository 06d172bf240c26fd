/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/list_compile.h"
#include "syncd/lists.h"

/* What the parts of lists.h share: which lists there are, the job of compiling
 * them, and that of saving. */

#define LISTS_GATHER_MS	  10 /* what changes within is one job */
#define LISTS_PATIENCE_MS 15000

/* The job begins after that, if it is not due sooner. */
void lists_schedule(struct lists *l, uint64_t delay_ms);
/* What could not be written, compiled or published is tried again after a pause, longer each time.
 */
void lists_retry_later(struct lists *l);
/* A job was good: what came meanwhile is the next one. */
void lists_go_on(struct lists *l);

/* A job that writes the state as it is now. NULL without memory; who waits for it is told. */
struct list_compile *lists_save_new(struct lists *l);
/* Starts it; no other one is being saved. */
void lists_save_start(struct lists *l, struct list_compile *job);
/* The state as it was at the end, after a job that is being saved. */
void lists_save_end(struct lists *l);
