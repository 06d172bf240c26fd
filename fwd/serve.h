/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/timer.h"
#include "fwd/conntrack.h"

/*
 * What dnsd feeds over the bus (request `feed`): gathered for one turn of the loop, put into the
 * kernel in one transaction, then answered.
 */
struct fwd;
struct serve {
	struct fwd *f;
	struct list calls; /* waiting for the transaction */
	struct timer flush, tick, tighten;
	struct conntrack_targets
		listed;		   /* newly, since the last time all flows were judged again */
	unsigned strict_age_s;	   /* since then, as long as anyone is strict */
	uint64_t applied, refused; /* entries so far */
	bool full;		   /* and reported */
};

int serve_open(struct serve *s, struct fwd *f);
/* Waiting calls fail. Idempotent, also on a zeroed one. */
void serve_close(struct serve *s);
