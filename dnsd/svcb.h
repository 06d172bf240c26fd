/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/message.h"

/*
 * SVCB and HTTPS records (RFC 9460). Reads rdata, writes it again into w without `ech` and with no
 * `h3` protocols in `alpn` (SPEC D6): an encrypted name could not be judged, QUIC is rejected. The
 * target is given in out. -EBADMSG when the rdata is malformed (the record must not pass).
 */
int svcb_rewrite(const uint8_t *rdata, size_t len, struct message_writer *w, struct name *target,
	bool *changed);
