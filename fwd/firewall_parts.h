/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/firewall.h"
#include "fwd/marks.h"
#include <net/if.h>
#include <string.h>

/* Inside of firewall*.c. */

/* Keys as the kernel compares them: the name padded with zeros, then the address. */
struct interface_key {
	char name[IFNAMSIZ];
	uint8_t addr[16];
};

static inline struct interface_key make_key(const char *interface, const struct addr *a)
{
	struct interface_key k = { 0 };
	size_t len = strlen(interface);
	memcpy(k.name, interface, len < IFNAMSIZ ? len : IFNAMSIZ - 1);
	if (a)
		memcpy(k.addr, a->bytes, addr_len(a));
	return k;
}

static inline enum set_id by_family(const struct addr *a, enum set_id v4)
{
	/* Every pair in enum set_id has IPv4 first. */
	return a->family == AF_INET ? v4 : (enum set_id)(v4 + 1);
}

/* The mark, shifted, that has this mask id and nothing else. */
static inline uint32_t mask_mark(const struct firewall *f, unsigned id)
{
	return id << MARK_MASK_ID_SHIFT << f->options.mark_shift;
}

/* Map `masks` as f->masks is; map `profiles` likewise. -ENOMEM. */
int firewall_want_masks(struct firewall *f);
int firewall_want_profiles(struct firewall *f);
