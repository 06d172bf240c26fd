/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/lists.h"

/* What the parts of lists.h share: which lists there are, and the job of compiling them. */

#define LISTS_GATHER_MS	  10 /* what changes within is one job */
#define LISTS_PATIENCE_MS 15000

/* The job begins after that, if it is not due sooner. */
void lists_schedule(struct lists *l, uint64_t delay_ms);
