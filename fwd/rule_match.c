/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rule.h"

#include "fwd/rule_parts.h"
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

/* Where a value stands in the headers. */
enum {
	IPV4_DADDR = 16,
	IPV6_DADDR = 24,
	TH_DPORT = 2,
};

static uint32_t address_len(uint8_t family)
{
	return family == NFPROTO_IPV4 ? 4 : 16;
}

static void compare_u8(struct rule_writer *r, uint8_t value)
{
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &value, sizeof(value));
}

/* A set of one name is slower than the name itself, and each packet is compared more than once. */
static void part_name(struct rule_writer *r, const char *set, bool yes)
{
	if (r->tunnel && !strcmp(set, "tunnels"))
		part_compare(r, NFT_REG_1, yes ? NFT_CMP_EQ : NFT_CMP_NEQ, r->tunnel, IFNAMSIZ);
	else
		part_in_set(r, NFT_REG_1, set, yes);
}

void match_iifname_in(struct rule_writer *r, const char *set, bool yes)
{
	part_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	part_name(r, set, yes);
}

void match_oifname_in(struct rule_writer *r, const char *set, bool yes)
{
	part_meta(r, NFT_META_OIFNAME, NFT_REG_1);
	part_name(r, set, yes);
}

void match_nfproto(struct rule_writer *r, uint8_t family)
{
	part_meta(r, NFT_META_NFPROTO, NFT_REG_1);
	compare_u8(r, family);
}

void match_l4proto(struct rule_writer *r, uint8_t protocol)
{
	part_meta(r, NFT_META_L4PROTO, NFT_REG_1);
	compare_u8(r, protocol);
}

void match_dport(struct rule_writer *r, uint8_t protocol, uint16_t port)
{
	uint16_t wire = htons(port);
	match_l4proto(r, protocol);
	part_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, sizeof(wire), NFT_REG_1);
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &wire, sizeof(wire));
}

void match_icmp_type(struct rule_writer *r, uint8_t protocol, uint8_t type)
{
	match_l4proto(r, protocol);
	part_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
	compare_u8(r, type);
}

void match_iifname_daddr_in(struct rule_writer *r, uint8_t family, const char *set)
{
	match_nfproto(r, family);
	part_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	part_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
		family == NFPROTO_IPV4 ? IPV4_DADDR : IPV6_DADDR, address_len(family), NFT_REG_2);
	part_in_set(r, NFT_REG_1, set, true);
}

void match_mark(struct rule_writer *r, uint32_t bits, uint32_t value, bool equal)
{
	bits <<= r->mark_shift;
	value <<= r->mark_shift;
	part_meta(r, NFT_META_MARK, NFT_REG_1);
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_compare(r, NFT_REG_1, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, &value, sizeof(value));
}

static void match_ct_bits(struct rule_writer *r, uint32_t key, uint32_t bits)
{
	const uint32_t zero = 0;
	part_ct(r, key, NFT_REG_1);
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_compare(r, NFT_REG_1, NFT_CMP_NEQ, &zero, sizeof(zero));
}

void match_ct_state(struct rule_writer *r, uint32_t states)
{
	match_ct_bits(r, NFT_CT_STATE, states);
}

void match_ct_original(struct rule_writer *r)
{
	part_ct(r, NFT_CT_DIRECTION, NFT_REG_1);
	compare_u8(r, IP_CT_DIR_ORIGINAL);
}

void match_ct_reply(struct rule_writer *r)
{
	part_ct(r, NFT_CT_DIRECTION, NFT_REG_1);
	compare_u8(r, IP_CT_DIR_REPLY);
}

void match_ct_confirmed(struct rule_writer *r)
{
	match_ct_bits(r, NFT_CT_STATUS, IPS_CONFIRMED);
}

void match_ct_dnat(struct rule_writer *r)
{
	match_ct_bits(r, NFT_CT_STATUS, IPS_DST_NAT);
}

void match_ct_mark_bits(struct rule_writer *r, uint32_t bits)
{
	match_ct_bits(r, NFT_CT_MARK, bits);
}

void match_ct_unmarked(struct rule_writer *r)
{
	const uint32_t zero = 0;
	part_ct(r, NFT_CT_MARK, NFT_REG_1);
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &zero, sizeof(zero));
}

void match_ct_mark_in(struct rule_writer *r, uint32_t bits, const char *set)
{
	part_ct(r, NFT_CT_MARK, NFT_REG_1);
	if (bits)
		part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_in_set(r, NFT_REG_1, set, true);
}

void match_flow_protocol(struct rule_writer *r, uint8_t protocol)
{
	/* As the packet has it: ICMP errors about a flow do not come so far (rules_forward.c), and
	 * nft knows no other way to say what the port belongs to. */
	match_l4proto(r, protocol);
}

void match_flow_dport(struct rule_writer *r, uint8_t protocol, uint16_t from, uint16_t to)
{
	uint16_t first = htons(from), last = htons(to);
	match_flow_protocol(r, protocol);
	part_flow(r, NFT_CT_PROTO_DST, NFT_REG_1);
	if (from == to) {
		part_compare(r, NFT_REG_1, NFT_CMP_EQ, &first, sizeof(first));
		return;
	}
	part_compare(r, NFT_REG_1, NFT_CMP_GTE, &first, sizeof(first));
	part_compare(r, NFT_REG_1, NFT_CMP_LTE, &last, sizeof(last));
}

static void load_flow_daddr(struct rule_writer *r, uint8_t family)
{
	match_nfproto(r, family);
	part_flow(r, family == NFPROTO_IPV4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6, NFT_REG_1);
}

void match_flow_daddr_in(struct rule_writer *r, uint8_t family, const char *set, bool yes)
{
	load_flow_daddr(r, family);
	part_in_set(r, NFT_REG_1, set, yes);
}

void match_flow_daddr(struct rule_writer *r, uint8_t family, const uint8_t *addr, unsigned bits)
{
	if (bits == 0) {
		match_nfproto(r, family);
		return;
	}
	uint32_t len = address_len(family);
	uint8_t net[16] = { 0 }, network[16];
	for (unsigned i = 0; i < len * 8 && i < bits; i++)
		net[i / 8] |= (uint8_t)(0x80 >> i % 8);
	for (uint32_t i = 0; i < len; i++)
		network[i] = addr[i] & net[i];
	load_flow_daddr(r, family);
	if (bits < len * 8)
		part_mask(r, NFT_REG_1, net, len);
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, network, len);
}

void match_no_route(struct rule_writer *r)
{
	const uint32_t none = 0;
	part_fib(r, NFT_FIB_RESULT_OIF, NFTA_FIB_F_DADDR);
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &none, sizeof(none));
}

void match_source_route_in(struct rule_writer *r, const char *set)
{
	part_fib(r, NFT_FIB_RESULT_OIFNAME, NFTA_FIB_F_SADDR);
	part_name(r, set, true);
}

void match_route_in(struct rule_writer *r, const char *set)
{
	part_fib(r, NFT_FIB_RESULT_OIFNAME, NFTA_FIB_F_DADDR);
	part_name(r, set, true);
}

void match_not_local(struct rule_writer *r)
{
	const uint32_t local = RTN_LOCAL;
	part_fib(r, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR);
	part_compare(r, NFT_REG_1, NFT_CMP_NEQ, &local, sizeof(local));
}
