/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/*
 * Of a connection whose name nobody can read: do lists by address (SPEC F6) and strict mode (F10)
 * let the device go there? The firewall alone knows which addresses those are, and would have said
 * so had it not redirected the connection. Without its answer: no.
 */
struct reach;

/* Is there anything to ask for that device? */
bool reach_is_needed(struct proxy *p, const struct addr *device);
/* on_done is always called from the loop, unless cancelled. NULL without memory. */
struct reach *reach_start(struct proxy *p, const struct addr *device, const struct addr *to,
	void (*on_done)(void *arg, bool is_allowed), void *arg);
/* on_done will not be called. Not after it was. */
void reach_cancel(struct reach *r);
