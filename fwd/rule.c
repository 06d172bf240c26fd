/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rule.h"

#include "fwd/rule_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

/* Where a value stands in the headers. */
enum {
	IPV4_SADDR = 12,
	IPV4_DADDR = 16,
	IPV6_SADDR = 8,
	IPV6_DADDR = 24,
	TH_DPORT = 2,
};

void rule_begin(struct rule_writer *r, const char *chain)
{
	snprintf(r->chain, sizeof(r->chain), "%s", chain);
	r->rule = nftnl_rule_alloc();
	if (!r->rule) {
		r->batch->failed = -ENOMEM;
		return;
	}
	nftnl_rule_set_str(r->rule, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(r->rule, NFTNL_RULE_CHAIN, chain);
}

void rule_end(struct rule_writer *r)
{
	if (!r->rule)
		return;
	struct nlmsghdr *msg = nft_message(r->batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
		"rule %u of chain %s", r->count++, r->chain);
	if (msg) {
		nftnl_rule_nlmsg_build_payload(msg, r->rule);
		nft_message_end(r->batch, msg);
	}
	nftnl_rule_free(r->rule);
	r->rule = NULL;
}

struct nftnl_expr *part_add(struct rule_writer *r, const char *name)
{
	struct nftnl_expr *e = r->rule ? nftnl_expr_alloc(name) : NULL;
	if (e)
		nftnl_rule_add_expr(r->rule, e);
	else
		r->batch->failed = -ENOMEM;
	return e;
}

/* ---- the parts ---- */

void part_meta(struct rule_writer *r, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = part_add(r, "meta");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

void part_store_meta(struct rule_writer *r, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = part_add(r, "meta");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, reg);
}

void part_payload(struct rule_writer *r, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	struct nftnl_expr *e = part_add(r, "payload");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

struct nftnl_expr *part_ct(struct rule_writer *r, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = part_add(r, "ct");
	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, reg);
	return e;
}

void part_flow(struct rule_writer *r, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = part_ct(r, key, reg);
	if (e)
		nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
}

void part_compare(struct rule_writer *r, uint32_t reg, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = part_add(r, "cmp");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
}

static void compare_u8(struct rule_writer *r, uint8_t value)
{
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &value, sizeof(value));
}

void part_mask(struct rule_writer *r, uint32_t reg, const void *bits, uint32_t len)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = part_add(r, "bitwise");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, bits, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

static struct nftnl_expr *lookup(struct rule_writer *r, uint32_t reg, const char *set)
{
	struct nftnl_expr *e = part_add(r, "lookup");
	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, reg);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	return e;
}

void part_in_set(struct rule_writer *r, uint32_t reg, const char *set, bool yes)
{
	struct nftnl_expr *e = lookup(r, reg, set);
	if (e && !yes)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

void part_map(struct rule_writer *r, uint32_t reg, const char *set, uint32_t result)
{
	struct nftnl_expr *e = lookup(r, reg, set);
	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, result);
}

void part_immediate(struct rule_writer *r, uint32_t reg, const void *data, uint32_t len)
{
	struct nftnl_expr *e = part_add(r, "immediate");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, reg);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, data, len);
}

void part_verdict(struct rule_writer *r, int code, const char *chain)
{
	struct nftnl_expr *e = part_add(r, "immediate");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static uint32_t address_len(uint8_t family)
{
	return family == NFPROTO_IPV4 ? 4 : 16;
}

/* ---- matches ---- */

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

void part_fib(struct rule_writer *r, uint32_t result, uint32_t flags)
{
	struct nftnl_expr *e = part_add(r, "fib");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
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

void match_not_local(struct rule_writer *r)
{
	const uint32_t local = RTN_LOCAL;
	part_fib(r, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR);
	part_compare(r, NFT_REG_1, NFT_CMP_NEQ, &local, sizeof(local));
}

/* ---- actions ---- */

void do_count(struct rule_writer *r, const char *counter)
{
	struct nftnl_expr *e = part_add(r, "objref");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

void do_accept(struct rule_writer *r)
{
	part_verdict(r, NF_ACCEPT, NULL);
}

void do_drop(struct rule_writer *r)
{
	part_verdict(r, NF_DROP, NULL);
}

void do_jump(struct rule_writer *r, const char *chain)
{
	part_verdict(r, NFT_JUMP, chain);
}

void do_goto(struct rule_writer *r, const char *chain)
{
	part_verdict(r, NFT_GOTO, chain);
}

void do_return(struct rule_writer *r)
{
	part_verdict(r, NFT_RETURN, NULL);
}

void do_vmap_mark(struct rule_writer *r, uint32_t bits, const char *map)
{
	bits <<= r->mark_shift;
	part_meta(r, NFT_META_MARK, NFT_REG_1);
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_map(r, NFT_REG_1, map, NFT_REG_VERDICT);
}

void do_set_mark_from_source(struct rule_writer *r, uint8_t family, const char *map)
{
	match_nfproto(r, family);
	part_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	part_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
		family == NFPROTO_IPV4 ? IPV4_SADDR : IPV6_SADDR, address_len(family), NFT_REG_2);
	part_map(r, NFT_REG_1, map, NFT_REG_1);
	part_store_meta(r, NFT_META_MARK, NFT_REG_1);
}

void do_set_mark_from_flow(struct rule_writer *r, uint8_t family, const char *map)
{
	match_nfproto(r, family);
	part_meta(r, NFT_META_OIFNAME, NFT_REG_1);
	part_flow(r, family == NFPROTO_IPV4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6, NFT_REG_2);
	part_map(r, NFT_REG_1, map, NFT_REG_1);
	part_store_meta(r, NFT_META_MARK, NFT_REG_1);
}

void do_set_ct_mark_from_family(struct rule_writer *r, const char *map)
{
	part_meta(r, NFT_META_NFPROTO, NFT_REG_1);
	part_map(r, NFT_REG_1, map, NFT_REG_1);
	struct nftnl_expr *e = part_add(r, "ct");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

static void reject(struct rule_writer *r, uint32_t type, uint8_t code)
{
	struct nftnl_expr *e = part_add(r, "reject");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, type);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, code);
}

void do_reset(struct rule_writer *r)
{
	reject(r, NFT_REJECT_TCP_RST, 0);
}

void do_reject(struct rule_writer *r)
{
	reject(r, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}

void do_turn_into_reset(struct rule_writer *r)
{
	/* Two bytes, for the checksum's sake: the header's length stays, the flags are replaced. */
	enum { OFFSET = 12, CHECKSUM = 16 };
	static const uint8_t keep[] = { 0xff, 0x00 }, flags[] = { 0x00, TH_RST | TH_ACK };
	part_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, OFFSET, sizeof(keep), NFT_REG_1);
	struct nftnl_expr *e = part_add(r, "bitwise");
	if (e) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
		nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
		nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(keep));
		nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, keep, sizeof(keep));
		nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, flags, sizeof(flags));
	}
	e = part_add(r, "payload");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, OFFSET);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, sizeof(keep));
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, CHECKSUM);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_FLAGS, 0);
}

void do_dnat_by_iifname(struct rule_writer *r, uint8_t family, const char *map, uint16_t port)
{
	uint16_t wire = htons(port);
	part_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	part_map(r, NFT_REG_1, map, NFT_REG_1);
	part_immediate(r, NFT_REG_2, &wire, sizeof(wire));
	struct nftnl_expr *e = part_add(r, "nat");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, family);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

void do_masquerade(struct rule_writer *r)
{
	part_add(r, "masq");
}
