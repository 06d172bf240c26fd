/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/reason.h"

const char *reason_name(enum reason r)
{
	static const char *const names[REASONS] = {
		[REASON_NONE] = "none",
		[REASON_UNKNOWN_SOURCE] = "unknown_source",
		[REASON_NO_ROUTE] = "no_route",
		[REASON_INBOUND] = "inbound",
		[REASON_INVALID] = "invalid",
		[REASON_TO_DEVICE] = "to_device",
		[REASON_SWITCH] = "switch",
		[REASON_DNS] = "dns",
		[REASON_DOT] = "dot",
		[REASON_QUIC] = "quic",
		[REASON_DOH] = "doh",
		[REASON_NOT_REDIRECTED] = "not_redirected",
		[REASON_PROFILE] = "profile",
		[REASON_CLOSED] = "closed",
		[REASON_LISTED] = "listed",
		[REASON_STRICT] = "strict",
		[REASON_EGRESS] = "egress",
		[REASON_EMBEDDED] = "embedded",
		[REASON_RATE] = "rate",
		[REASON_OUTPUT] = "output",
		[REASON_HELLO] = "hello",
		[REASON_UNREAD] = "unread",
	};
	return names[r < REASONS ? r : REASON_NONE];
}
