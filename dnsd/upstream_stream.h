/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/upstream.h"

/* One connection to an upstream, TLS (DoT) or plain TCP (for a UDP upstream's cut answers): opened
 * on demand, kept while it is used, many questions under way at once (RFC 7766, RFC 7858). */
struct stream_channel *stream_channel_new(struct upstream *u);
void stream_channel_close(struct stream_channel *c); /* frees itself in the loop */
int stream_channel_ask(struct stream_channel *c, struct exchange *x);
/* A question sent at sent_ms was given up: a connection that has said nothing since is dropped. */
void stream_channel_note_silence(struct stream_channel *c, uint64_t sent_ms);
