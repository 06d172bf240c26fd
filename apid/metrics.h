/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/live.h"
#include "common/buf.h"

/*
 * /metrics in Prometheus' text format 0.0.4. How many series there are depends on how many daemons
 * and tunnels there are and on nothing else; never on devices or names.
 */
struct metrics_source {
	const struct live *live;
	const struct front_stats *fronts; /* of the administration */
};
/* 0 or -ENOMEM. */
int metrics_write(const struct metrics_source *m, struct buf *out);
