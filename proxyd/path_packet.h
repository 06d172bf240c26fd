/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"

/* One packet of TCP or UDP as the kernel hands it over, whole and put together from its fragments.
 */
struct path_packet {
	struct addr from, to;
	uint16_t from_port, to_port;
	uint8_t protocol;	/* IPPROTO_TCP, IPPROTO_UDP */
	const uint8_t *payload; /* points into the packet */
	size_t len;		/* of it */
	uint32_t seq, ack;	/* of TCP */
	uint8_t flags;
};

/* Pure. verify: the checksum of TCP or UDP must hold, too; it does not while the kernel has not
 * written it yet. 0; -EPROTO: something else, a fragment, malformed, or not whole. */
int path_packet_parse(const uint8_t *data, size_t len, bool verify, struct path_packet *out);
