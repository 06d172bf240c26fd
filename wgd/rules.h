/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/netlink.h"

/* F8: are fwd's rules in the kernel, and do they know the interface as a tunnel? fwd's table comes
 * whole or not at all. nl is an open NETLINK_NETFILTER socket. 0, -ENOENT when not, -errno. */
int rules_find_tunnel(struct nl *nl, const char *interface);
