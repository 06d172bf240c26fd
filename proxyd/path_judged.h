/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * Under which policy what is live was judged last, on disk: so that a reader which comes back knows
 * whether it changed while there was none (SPEC F9). Written in libuv's work pool.
 */
struct path_judged {
	uv_work_t work;
	uv_loop_t *loop;
	char path[PATH_MAX];
	uint64_t found; /* of a former reader; this and the others: 0 = none */
	uint64_t stamp; /* the newest */
	uint64_t in_work, on_disk;
	bool is_running;
};

/* What is on disk is j->found, and the newest. */
void path_judged_init(struct path_judged *j, uv_loop_t *loop, const char *state_dir);
/* A failure is logged; the disk then says what was before, and the next reader cuts too much. */
void path_judged_set(struct path_judged *j, uint64_t stamp);
