/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/exchange_impl.h"

/* The server's leg of an exchange. */

/* Sends the request on, over the session's idle connection or a new one; the answer comes back by
 * callbacks. With wants_tunnel: connects, and joins both connections. x may be gone afterwards. */
void upstream_start(struct exchange *x);
/* The client's body: a piece, its end, and room for more of the answer. */
void upstream_write(struct exchange *x, const void *data, size_t len);
void upstream_end(struct exchange *x);
void upstream_resume(struct exchange *x);
/* Goes over a connection that is there or connects; again when the one that it waited for
 * (scouts.h) has found a way, or is gone. x may be gone afterwards. */
void upstream_wake(struct exchange *x);
/* The client is gone or answered. */
void upstream_stop(struct exchange *x, int why);
