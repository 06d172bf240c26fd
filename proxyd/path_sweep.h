/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "proxyd/path_flows.h"
#include <uv.h>

/*
 * Which connections that passed in the path are still in the kernel's connection table? Read in
 * libuv's work pool.
 */
struct path_sweep {
	uv_work_t work;
	bool is_running;
	int err;
	struct hmap found; /* struct path_key → itself; of the last run */
	/* In the loop, when a run is over; found may be changed. */
	void (*on_done)(void *arg, struct path_sweep *s);
	void *arg;
};

void path_sweep_init(
	struct path_sweep *s, void (*on_done)(void *arg, struct path_sweep *s), void *arg);
/* A run that goes on ends before the loop does. */
void path_sweep_fini(struct path_sweep *s);
/* Nothing while one runs. 0 or -errno. */
int path_sweep_start(struct path_sweep *s, uv_loop_t *loop);
