/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/timer.h"
#include <stdbool.h>

/* Has the gateway a route to the IPv6 Internet (SPEC D13)? Asked of the kernel every few seconds,
 * without sending anything. */
struct uplink {
	struct timer tick;
	bool has_ipv6;
};
/* The memory must last until the loop's end. */
int uplink_open(struct uplink *u, uv_loop_t *loop);
void uplink_close(struct uplink *u);
