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
	char name[16];
};

/* What the interface is; index 0 when it does not exist (that is no error). */
int link_find(struct nl *nl, const char *name, struct link *out);
int link_find_index(struct nl *nl, int index, struct link *out);
/* Takes it down if need be and gives it the name. */
int link_rename(struct nl *nl, const struct link *link, const char *name);
/* Creates an interface of kind wireguard. -EOPNOTSUPP when the kernel has none, -EEXIST when there
 * is one of that name, of whatever kind. */
int link_create_wireguard(struct nl *nl, const char *name);
int link_delete(struct nl *nl, int index);
int link_set_mtu(struct nl *nl, const struct link *link, int64_t mtu);
int link_set_up(struct nl *nl, const struct link *link);
/* Gives the interface exactly these addresses (link-local IPv6 is the kernel's own and stays), each
 * with its subnet's length and without duplicate detection. On a machine or an interface without
 * IPv6 those of IPv6 are left out, which *without_ipv6 then says. */
int link_set_addresses(
	struct nl *nl, int index, const struct conf_prefixes *addresses, bool *without_ipv6);
/* Puts back the routes to the addresses' subnets, also from another interface that has been given
 * one; without IPv6 those of IPv4. The interface must be up. */
int link_add_routes(struct nl *nl, int index, const struct conf_prefixes *addresses);
