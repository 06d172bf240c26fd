/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/link.h"

#include "common/log.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

enum { REQUEST_BYTES = 1024, ADDRESSES_MAX = 64, V6_SUBNET_METRIC = 256 /* the kernel's own */ };

static struct nlmsghdr *start_link(
	struct nl *nl, void *buf, uint16_t type, uint16_t flags, struct ifinfomsg **ifi)
{
	struct nlmsghdr *msg = nl_prepare(nl, buf, type, flags);
	*ifi = mnl_nlmsg_put_extra_header(msg, sizeof(**ifi));
	(*ifi)->ifi_family = AF_UNSPEC;
	return msg;
}

static int on_link(const struct nlmsghdr *msg, void *arg)
{
	struct link *out = arg;
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr, *inner;
	if (msg->nlmsg_type != RTM_NEWLINK)
		return 0;
	out->index = ifi->ifi_index;
	out->up = ifi->ifi_flags & IFF_UP;
	mnl_attr_for_each (attr, msg, sizeof(*ifi)) {
		if (mnl_attr_get_type(attr) == IFLA_MTU && !mnl_attr_validate(attr, MNL_TYPE_U32))
			out->mtu = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			snprintf(out->name, sizeof(out->name), "%s", mnl_attr_get_str(attr));
		if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) == IFLA_INFO_KIND)
				snprintf(out->kind, sizeof(out->kind), "%.*s",
					(int)mnl_attr_get_payload_len(inner),
					mnl_attr_get_str(inner));
		}
	}
	return 0;
}

static int find(struct nl *nl, int index, const char *name, struct link *out)
{
	uint8_t buf[REQUEST_BYTES];
	struct ifinfomsg *ifi;
	*out = (struct link){ 0 };
	struct nlmsghdr *msg = start_link(nl, buf, RTM_GETLINK, 0, &ifi);
	ifi->ifi_index = index;
	if (name)
		mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	int err = nl_request(nl, msg, on_link, out);
	return err == -ENODEV ? 0 : err;
}

int link_find(struct nl *nl, const char *name, struct link *out)
{
	return find(nl, 0, name, out);
}

int link_find_index(struct nl *nl, int index, struct link *out)
{
	return find(nl, index, NULL, out);
}

static int set_down(struct nl *nl, int index)
{
	uint8_t buf[REQUEST_BYTES];
	struct ifinfomsg *ifi;
	struct nlmsghdr *msg = start_link(nl, buf, RTM_NEWLINK, 0, &ifi);
	ifi->ifi_index = index;
	ifi->ifi_change = IFF_UP;
	return nl_request(nl, msg, NULL, NULL);
}

int link_rename(struct nl *nl, const struct link *link, const char *name)
{
	uint8_t buf[REQUEST_BYTES];
	struct ifinfomsg *ifi;
	int err = link->up ? set_down(nl, link->index) : 0;
	if (err)
		return err;
	struct nlmsghdr *msg = start_link(nl, buf, RTM_NEWLINK, 0, &ifi);
	ifi->ifi_index = link->index;
	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	return nl_request(nl, msg, NULL, NULL);
}

int link_create_wireguard(struct nl *nl, const char *name)
{
	uint8_t buf[REQUEST_BYTES];
	struct ifinfomsg *ifi;
	struct nlmsghdr *msg = start_link(nl, buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi);
	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	struct nlattr *info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "wireguard");
	mnl_attr_nest_end(msg, info);
	return nl_request(nl, msg, NULL, NULL);
}

int link_delete(struct nl *nl, int index)
{
	uint8_t buf[REQUEST_BYTES];
	struct ifinfomsg *ifi;
	struct nlmsghdr *msg = start_link(nl, buf, RTM_DELLINK, 0, &ifi);
	ifi->ifi_index = index;
	return nl_request(nl, msg, NULL, NULL);
}

int link_set_mtu(struct nl *nl, const struct link *link, int64_t mtu)
{
	uint8_t buf[REQUEST_BYTES];
	struct ifinfomsg *ifi;
	if (link->mtu == mtu)
		return 0;
	struct nlmsghdr *msg = start_link(nl, buf, RTM_NEWLINK, 0, &ifi);
	ifi->ifi_index = link->index;
	mnl_attr_put_u32(msg, IFLA_MTU, (uint32_t)mtu);
	return nl_request(nl, msg, NULL, NULL);
}

int link_set_up(struct nl *nl, const struct link *link)
{
	uint8_t buf[REQUEST_BYTES];
	struct ifinfomsg *ifi;
	if (link->up)
		return 0;
	struct nlmsghdr *msg = start_link(nl, buf, RTM_NEWLINK, 0, &ifi);
	ifi->ifi_index = link->index;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	return nl_request(nl, msg, NULL, NULL);
}

/* What the interface has; those beyond ADDRESSES_MAX are left for the next pass. */
struct has {
	int index;
	size_t count;
	struct prefix v[ADDRESSES_MAX];
};

static void on_addresses_restart(void *arg)
{
	((struct has *)arg)->count = 0;
}

static int on_address(const struct nlmsghdr *msg, void *arg)
{
	struct has *has = arg;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr, *address = NULL, *local = NULL;
	if (msg->nlmsg_type != RTM_NEWADDR || (int)ifa->ifa_index != has->index ||
		(ifa->ifa_family == AF_INET6 && ifa->ifa_scope == RT_SCOPE_LINK) ||
		has->count == ADDRESSES_MAX)
		return 0;
	mnl_attr_for_each (attr, msg, sizeof(*ifa)) {
		if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			address = attr;
		else if (mnl_attr_get_type(attr) == IFA_LOCAL)
			local = attr;
	}
	local = local ? local : address;
	size_t width = ifa->ifa_family == AF_INET ? 4 : ifa->ifa_family == AF_INET6 ? 16 : 0;
	if (!local || !width || mnl_attr_get_payload_len(local) != width)
		return 0;
	struct prefix *p = &has->v[has->count++];
	*p = (struct prefix){ .len = ifa->ifa_prefixlen };
	p->addr.family = ifa->ifa_family;
	memcpy(p->addr.bytes, mnl_attr_get_payload(local), width);
	return 0;
}

static bool prefix_in(const struct prefix *v, size_t n, const struct prefix *p)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].len == p->len && addr_equal(&v[i].addr, &p->addr))
			return true;
	return false;
}

static int change_address(struct nl *nl, int index, uint16_t type, const struct prefix *p)
{
	uint8_t buf[REQUEST_BYTES];
	uint16_t flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	struct nlmsghdr *msg = nl_prepare(nl, buf, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(msg, sizeof(*ifa));
	ifa->ifa_family = p->addr.family;
	ifa->ifa_prefixlen = p->len;
	ifa->ifa_index = (unsigned)index;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_flags = type == RTM_NEWADDR && p->addr.family == AF_INET6 ? IFA_F_NODAD : 0;
	mnl_attr_put(msg, IFA_LOCAL, addr_len(&p->addr), p->addr.bytes);
	mnl_attr_put(msg, IFA_ADDRESS, addr_len(&p->addr), p->addr.bytes);
	return nl_request(nl, msg, NULL, NULL);
}

/* What the kernel says where IPv6 is switched off, for the interface or at all. */
static bool lacks_ipv6(const struct prefix *p, int err)
{
	return p->addr.family == AF_INET6 &&
	       (err == -EACCES || err == -EOPNOTSUPP || err == -EAFNOSUPPORT);
}

int link_set_addresses(
	struct nl *nl, int index, const struct conf_prefixes *addresses, bool *without_ipv6)
{
	uint8_t buf[REQUEST_BYTES];
	struct has has = { .index = index };
	struct nlmsghdr *msg = nl_prepare(nl, buf, RTM_GETADDR, 0);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(msg, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	int err = nl_dump(nl, msg, on_address, on_addresses_restart, &has);
	for (size_t i = 0; i < has.count && !err; i++)
		if (!prefix_in(addresses->v, addresses->n, &has.v[i])) {
			err = change_address(nl, index, RTM_DELADDR, &has.v[i]);
			/* Secondary addresses go with their primary one. */
			err = err == -EADDRNOTAVAIL ? 0 : err;
		}
	*without_ipv6 = false;
	for (size_t i = 0; i < addresses->n && !err; i++) {
		if (prefix_in(has.v, has.count, &addresses->v[i]))
			continue;
		err = change_address(nl, index, RTM_NEWADDR, &addresses->v[i]);
		if (lacks_ipv6(&addresses->v[i], err)) {
			*without_ipv6 = true;
			err = 0;
		}
	}
	return err;
}

struct route {
	int index;
	struct prefix to;
	bool found;
};

static int on_route(const struct nlmsghdr *msg, void *arg)
{
	struct route *route = arg;
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;
	bool here = false, there = false;
	if (msg->nlmsg_type != RTM_NEWROUTE || rt->rtm_dst_len != route->to.len ||
		rt->rtm_table != RT_TABLE_MAIN || rt->rtm_type != RTN_UNICAST)
		return 0;
	mnl_attr_for_each (attr, msg, sizeof(*rt)) {
		if (mnl_attr_get_type(attr) == RTA_OIF)
			here = (int)mnl_attr_get_u32(attr) == route->index;
		else if (mnl_attr_get_type(attr) == RTA_DST)
			there = mnl_attr_get_payload_len(attr) == addr_len(&route->to.addr) &&
				!memcmp(mnl_attr_get_payload(attr), route->to.addr.bytes,
					addr_len(&route->to.addr));
	}
	route->found |= here && there;
	return 0;
}

/* Is there a route to the subnet through the interface? */
static int find_route(struct nl *nl, struct route *route)
{
	uint8_t buf[REQUEST_BYTES];
	int one = 1, none = 0;
	struct nlmsghdr *msg = nl_prepare(nl, buf, RTM_GETROUTE, 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	rt->rtm_family = route->to.addr.family;
	rt->rtm_table = RT_TABLE_MAIN;
	mnl_attr_put_u32(msg, RTA_OIF, (uint32_t)route->index);
	/* The kernel then gives this interface's routes only, of perhaps a million. */
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	int err = nl_dump(nl, msg, on_route, NULL, route);
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &none, sizeof(none));
	return err;
}

static int put_route(struct nl *nl, const struct route *route, const struct prefix *own, int flags)
{
	uint8_t buf[REQUEST_BYTES];
	const struct prefix *to = &route->to;
	struct nlmsghdr *msg = nl_prepare(nl, buf, RTM_NEWROUTE, (uint16_t)(NLM_F_CREATE | flags));
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	bool v4 = to->addr.family == AF_INET;
	rt->rtm_family = to->addr.family;
	rt->rtm_dst_len = to->len;
	rt->rtm_table = RT_TABLE_MAIN;
	rt->rtm_protocol = RTPROT_KERNEL;
	rt->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	rt->rtm_type = RTN_UNICAST;
	mnl_attr_put(msg, RTA_DST, addr_len(&to->addr), to->addr.bytes);
	mnl_attr_put_u32(msg, RTA_OIF, (uint32_t)route->index);
	if (v4)
		mnl_attr_put(msg, RTA_PREFSRC, 4, own->addr.bytes);
	else
		mnl_attr_put_u32(msg, RTA_PRIORITY, V6_SUBNET_METRIC);
	return nl_request(nl, msg, NULL, NULL);
}

/* One of the same subnet that leads elsewhere counts as existing, too. */
static int add_route(struct nl *nl, int index, const struct prefix *own)
{
	struct route route = { .index = index, .to = prefix_network(own) };
	char text[PREFIX_STRLEN];
	int err = put_route(nl, &route, own, NLM_F_EXCL);
	if (err != -EEXIST)
		return err;
	err = find_route(nl, &route);
	if (err || route.found)
		return err;
	prefix_format(&route.to, text);
	log_notice("a route led elsewhere, it is put right to=%s", text);
	return put_route(nl, &route, own, NLM_F_REPLACE);
}

int link_add_routes(struct nl *nl, int index, const struct conf_prefixes *addresses)
{
	int err = 0;
	for (size_t i = 0; i < addresses->n && !err; i++) {
		const struct prefix *p = &addresses->v[i];
		if (p->len < addr_len(&p->addr) * 8)
			err = add_route(nl, index, p);
		if (lacks_ipv6(p, err))
			err = 0;
	}
	return err;
}
