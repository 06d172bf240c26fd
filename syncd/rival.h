/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"

#include <stdbool.h>

/*
 * A second syncd on the bus: each would replace the other's topics without an end. It cannot be
 * kept out, as either may be the one that is meant; it is told.
 */
struct rival {
	char process[17]; /* this one's name in its status */
	char other[17];	  /* "" = none was heard */
	unsigned heard;	  /* how often, in a row */
	void (*on_rival)(void *arg, const char *detail);
	void *arg;
};

/* on_rival: once for each other process, with its second report. -EIO: no random numbers; or as
 * bus_watch_status. */
int rival_watch(
	struct rival *r, struct bus *b, void (*on_rival)(void *arg, const char *detail), void *arg);
/* Names this process. */
void rival_report(const struct rival *r, cJSON *status);
