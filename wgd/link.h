/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/netlink.h"

/* A network interface over rtnetlink (W1). nl is an open NETLINK_ROUTE socket for requests. All
 * return 0 or -errno and change only what differs. */
struct link {
	int index; /* 0 = there is none of that name */
	int64_t mtu;
	bool up;
	char kind[16]; /* "wireguard", "tun", "" when unknown */
};

/* What the interface is; index 0 when it does not exist (that is no error). */
int link_find(struct nl *nl, const char *name, struct link *out);
/* Creates an interface of kind wireguard. -EOPNOTSUPP when the kernel has none. */
int link_create_wireguard(struct nl *nl, const char *name);
int link_delete(struct nl *nl, int index);
int link_set_mtu(struct nl *nl, const struct link *link, int64_t mtu);
int link_set_up(struct nl *nl, const struct link *link);
/* Gives the interface exactly these addresses (link-local IPv6 is the kernel's own and stays), each
 * with its subnet's length and without duplicate detection. */
int link_set_addresses(struct nl *nl, int index, const struct conf_prefixes *addresses);
/* Puts back the routes to the addresses' subnets. The interface must be up. */
int link_add_routes(struct nl *nl, int index, const struct conf_prefixes *addresses);
