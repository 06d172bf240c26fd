/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/connect.h"

/* One connection to a web server as a stream: connect.h, then TLS where it is wanted. */

struct dial;

/* Either an open stream, the callee's (set its callbacks before returning), or an error. */
typedef void (*dial_on_done)(void *arg, struct stream *s, const struct dial_error *err);

/* tls NULL: plain; else it lives on. on_done is always called from the loop, unless cancelled. NULL
 * without memory. */
struct dial *dial_start(struct proxy *p, const struct connect_target *t, struct tls_ctx *tls,
	dial_on_done on_done, void *arg);
/* on_done will not be called. Not after it was. */
void dial_cancel(struct dial *d);
