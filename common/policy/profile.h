/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/codec.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an admin's profile (SPEC F2) says; fwd writes it into the kernel, proxyd asks it where it
 * connects (P15). */
struct port_range {
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t from, to;
};

struct profile_rule {
	bool allow;
	struct prefix *prefixes; /* none: every destination */
	size_t prefix_count;
	uint8_t protocols[8]; /* without ports; none and no ports: every protocol */
	size_t protocol_count;
	struct port_range *ports;
	size_t port_count;
};

/* An admin's profile: the first rule that matches decides, after the last one all is refused. */
struct profile {
	struct profile_rule *rules;
	size_t count;
};

/* From the bus's record. -EINVAL (why says it), -ENOMEM, -E2BIG: too many rules for the kernel. */
int profile_parse(const struct rec_profile *rec, struct profile *out, char *why, size_t why_len);
void profile_fini(struct profile *p);
/* May a flow of that IPPROTO_* go there? */
bool profile_allows(
	const struct profile *p, const struct addr *to, uint8_t protocol, uint16_t port);
