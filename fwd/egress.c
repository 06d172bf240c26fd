/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/egress.h"

#include "common/policy/settings.h"
#include <netinet/in.h>

int egress_set_protocols(struct elements *e)
{
	enum { L2TP = 115, ETHERIP = 97 };
	static const uint8_t tunnels[] = { IPPROTO_GRE, IPPROTO_ESP, IPPROTO_AH, IPPROTO_IPIP,
		IPPROTO_IPV6, L2TP, ETHERIP };
	int err = 0;
	for (size_t i = 0; i < sizeof(tunnels) && !err; i++)
		err = elements_set(e, SET_DENIED_PROTOCOLS, &tunnels[i], NULL);
	return err;
}

static int set_ports(
	struct elements *e, enum set_id id, const struct rec_strs *ports, uint8_t protocol)
{
	struct ranges r = { .addr_len = sizeof(uint16_t) };
	int err = 0;
	for (size_t i = 0; i < ports->n && !err; i++) {
		struct port_spec p;
		if (port_spec_parse(ports->v[i], &p) || p.protocol != protocol)
			continue;
		struct range one = { .from = { (uint8_t)(p.from >> 8), (uint8_t)p.from },
			.to = { (uint8_t)(p.to >> 8), (uint8_t)p.to } };
		err = ranges_add_range(&r, &one);
	}
	ranges_normalise(&r);
	if (!err)
		err = elements_set_ranges(e, id, &r);
	ranges_fini(&r);
	return err;
}

int egress_set_ports(struct elements *e, const struct rec_strs *denied, const struct rec_strs *web)
{
	int err = set_ports(e, SET_DENIED_TCP, denied, IPPROTO_TCP);
	if (!err)
		err = set_ports(e, SET_DENIED_UDP, denied, IPPROTO_UDP);
	if (!err)
		err = set_ports(e, SET_WEB_TCP, web, IPPROTO_TCP);
	return err ? err : set_ports(e, SET_WEB_UDP, web, IPPROTO_UDP);
}
