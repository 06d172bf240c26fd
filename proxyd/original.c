/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/original.h"
#include <errno.h>
#include <linux/netfilter_ipv4.h>

/* linux/netfilter_ipv6/ip6_tables.h has it, and cannot be included beside netinet/in.h. */
#define IP6T_SO_ORIGINAL_DST 80

static bool is_ours(const struct addr *a, const struct conf_shared *conf)
{
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const struct conf_prefixes *own = &conf->tunnels[i].addresses;
		for (size_t k = 0; k < own->n; k++) {
			if (addr_equal(&own->v[k].addr, a))
				return true;
		}
	}
	return false;
}

int original_choose(const struct endpoint *redirected, const struct endpoint *local,
	const struct proxyd_conf *conf, struct endpoint *out)
{
	/* Conntrack knows a connection to this port itself, too: by its own address. */
	if (redirected && !is_ours(&redirected->addr, &conf->shared)) {
		*out = *redirected;
		return 0;
	}
	if (local && local->addr.family && !is_ours(&local->addr, &conf->shared)) {
		*out = *local;
		return 0;
	}
	return -EPERM;
}

static struct endpoint endpoint_of(const struct sockaddr_storage *ss)
{
	const struct sockaddr *sa = (const struct sockaddr *)ss;

	return (struct endpoint){ addr_from_sockaddr(sa), sockaddr_port(sa) };
}

int original_find(
	int fd, const struct addr *device, const struct proxyd_conf *conf, struct endpoint *out)
{
	bool v6 = device->family == AF_INET6;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint redirected, local;

	if (!getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    v6 ? IP6T_SO_ORIGINAL_DST : SO_ORIGINAL_DST, &ss, &len)) {
		redirected = endpoint_of(&ss);
		if (!original_choose(&redirected, NULL, conf, out))
			return 0;
	}
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len))
		return -EPERM;
	local = endpoint_of(&ss);
	return original_choose(NULL, &local, conf, out);
}
