/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rule.h"

#include "fwd/rule_parts.h"
#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/tcp.h>

/* Where a value stands in the headers. */
enum {
	IPV4_SADDR = 12,
	IPV6_SADDR = 8,
};

static uint32_t address_len(uint8_t family)
{
	return family == NFPROTO_IPV4 ? 4 : 16;
}

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
