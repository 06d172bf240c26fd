/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "dnsd/message.h"

/*
 * SVCB and HTTPS records (RFC 9460). Reads rdata, writes it again into w without `ech` and with no
 * `h3` protocols in `alpn` (SPEC D6): an encrypted name could not be judged, QUIC is rejected. The
 * target is given in out. -EBADMSG when the rdata is malformed (the record must not pass).
 */
int svcb_rewrite(const uint8_t *rdata, size_t len, struct message_writer *w, struct name *target,
	bool *changed);
/* The same, and without hints that is_allowed refuses. */
int svcb_filter_hints(const uint8_t *rdata, size_t len, struct message_writer *w,
	bool (*is_allowed)(const void *arg, const struct addr *hint), const void *arg);
/* Calls on_hint for each address of ipv4hint and ipv6hint until it returns false. Did all return
 * true? Malformed rdata has none. */
bool svcb_each_hint(const uint8_t *rdata, size_t len,
	bool (*on_hint)(void *arg, const struct addr *a), void *arg);
