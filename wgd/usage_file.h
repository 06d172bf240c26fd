/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/timer.h"
#include "wgd/usage.h"
#include <limits.h>

/*
 * The usage on disk: DIR/usage and, as it was a write before, DIR/usage.1. Written some seconds
 * after a change, soon after a quota was used up, and at the end, never by the loop's own thread
 * but then. What cannot be written is said once, tried again, and counting goes on.
 */
struct usage_file {
	char path[PATH_MAX], before[PATH_MAX], fresh[PATH_MAX];
	struct usage *usage;
	uv_loop_t *loop;
	struct timer debounce;
	uint64_t due_at; /* monotonic ms, while the timer runs */
	uv_work_t work;
	struct buf image; /* what is being written */
	bool busy, closing;
	int written; /* result of the write under way */
	int error;   /* 0 or -errno of the last one */
};

/* -ENAMETOOLONG, -errno. */
int usage_file_open(struct usage_file *f, uv_loop_t *loop, const char *dir, struct usage *u);
/* Fills the fresh usage. A file that is corrupt is named in the log and the one before it taken:
 * the interfaces' counters bring it up to date. -ENOENT when there is neither. */
int usage_file_load(struct usage_file *f);
/* Call after usage may have changed; soon: it matters that it lasts. */
void usage_file_touch(struct usage_file *f, bool soon);
/* Writes what is to be written. f must live until the loop has ended. */
void usage_file_close(struct usage_file *f);
