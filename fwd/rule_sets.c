/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rule_sets.h"

#include "fwd/rule_parts.h"
#include <arpa/inet.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

enum {
	IPV4_SADDR = 12,
	IPV4_DADDR = 16,
	IPV6_SADDR = 8,
	IPV6_DADDR = 24,
	TH_DPORT = 2,
	LOOPBACK = 1, /* index of lo in every network namespace */
};

static uint32_t address_len(uint8_t family)
{
	return family == NFPROTO_IPV4 ? 4 : 16;
}

/* What follows an address in a concatenation. */
static uint32_t register_after(uint8_t family)
{
	return family == NFPROTO_IPV4 ? NFT_REG32_01 : NFT_REG_2;
}

static void load_flow_saddr(struct rule_writer *r, uint8_t family)
{
	match_nfproto(r, family);
	part_flow(r, family == NFPROTO_IPV4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6, NFT_REG_1);
}

static void load_flow_daddr(struct rule_writer *r, uint8_t family, uint32_t reg)
{
	part_flow(r, family == NFPROTO_IPV4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6, reg);
}

static void load_pair(struct rule_writer *r, uint8_t family)
{
	load_flow_saddr(r, family);
	load_flow_daddr(r, family, register_after(family));
}

/* ---- matches ---- */

void match_flow_pair_in(struct rule_writer *r, uint8_t family, const char *set, bool yes)
{
	load_pair(r, family);
	part_in_set(r, NFT_REG_1, set, yes);
}

void match_flow_bits(struct rule_writer *r, uint8_t family, const char *map, uint32_t bits)
{
	const uint32_t zero = 0;
	match_nfproto(r, family);
	load_flow_daddr(r, family, NFT_REG_1);
	part_map(r, NFT_REG_1, map, NFT_REG_1);
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_compare(r, NFT_REG_1, NFT_CMP_NEQ, &zero, sizeof(zero));
}

void match_nat64_bits(struct rule_writer *r, const char *map, uint32_t bits)
{
	static const uint8_t nat64[16] = { 0x00, 0x64, 0xff, 0x9b };
	const uint32_t zero = 0;
	match_flow_daddr(r, NFPROTO_IPV6, nat64, 96);
	load_flow_daddr(r, NFPROTO_IPV6, NFT_REG_1);
	part_map(r, NFT_REG32_03, map, NFT_REG_1);
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_compare(r, NFT_REG_1, NFT_CMP_NEQ, &zero, sizeof(zero));
}

void match_any_dport_in(struct rule_writer *r, const char *set)
{
	part_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT, sizeof(uint16_t), NFT_REG_1);
	part_in_set(r, NFT_REG_1, set, true);
}

void match_flow_dport_in(struct rule_writer *r, uint8_t protocol, const char *set, bool yes)
{
	match_flow_protocol(r, protocol);
	part_flow(r, NFT_CT_PROTO_DST, NFT_REG_1);
	part_in_set(r, NFT_REG_1, set, yes);
}

void match_flow_protocol_in(struct rule_writer *r, const char *set)
{
	part_meta(r, NFT_META_L4PROTO, NFT_REG_1);
	part_in_set(r, NFT_REG_1, set, true);
}

static void load_daddr(struct rule_writer *r, uint8_t family, uint32_t reg)
{
	part_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
		family == NFPROTO_IPV4 ? IPV4_DADDR : IPV6_DADDR, address_len(family), reg);
}

void match_daddr_in(struct rule_writer *r, uint8_t family, const char *set)
{
	match_nfproto(r, family);
	load_daddr(r, family, NFT_REG_1);
	part_in_set(r, NFT_REG_1, set, true);
}

void match_daddr(struct rule_writer *r, uint8_t family, const uint8_t *addr)
{
	match_nfproto(r, family);
	load_daddr(r, family, NFT_REG_1);
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, addr, address_len(family));
}

void match_local(struct rule_writer *r)
{
	const uint32_t local = RTN_LOCAL;
	part_fib(r, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR);
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &local, sizeof(local));
}

void match_uid(struct rule_writer *r, uint32_t uid)
{
	part_meta(r, NFT_META_SKUID, NFT_REG_1);
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &uid, sizeof(uid));
}

void match_not_from_loopback(struct rule_writer *r)
{
	const uint32_t loopback = LOOPBACK;
	part_meta(r, NFT_META_IIF, NFT_REG_1);
	part_compare(r, NFT_REG_1, NFT_CMP_NEQ, &loopback, sizeof(loopback));
}

/* ---- actions ---- */

static void limit(struct rule_writer *r, const char *map)
{
	struct nftnl_expr *e = part_add(r, "objref");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_SET_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_SET_NAME, map);
}

void match_over_upload(struct rule_writer *r, uint8_t family, const char *map)
{
	match_nfproto(r, family);
	part_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	part_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
		family == NFPROTO_IPV4 ? IPV4_SADDR : IPV6_SADDR, address_len(family), NFT_REG_2);
	limit(r, map);
}

void match_over_download(struct rule_writer *r, uint8_t family, const char *map)
{
	match_nfproto(r, family);
	part_meta(r, NFT_META_OIFNAME, NFT_REG_1);
	load_daddr(r, family, NFT_REG_2);
	limit(r, map);
}

static struct nftnl_expr *update(struct rule_writer *r, const char *set)
{
	struct nftnl_expr *e = part_add(r, "dynset");
	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
	return e;
}

void do_refresh_flow_pair(
	struct rule_writer *r, uint8_t family, const char *set, uint32_t timeout_s)
{
	load_pair(r, family);
	struct nftnl_expr *e = update(r, set);
	if (e)
		nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_s * 1000ULL);
}

void do_add_flow_pair(struct rule_writer *r, uint8_t family, const char *set)
{
	load_pair(r, family);
	update(r, set);
}

void do_tally_reason(struct rule_writer *r, uint8_t family, const char *set, uint32_t reason_bits)
{
	uint32_t reg = register_after(family);
	load_flow_saddr(r, family);
	part_meta(r, NFT_META_MARK, reg);
	part_mask(r, reg, &reason_bits, sizeof(reason_bits));
	struct nftnl_expr *e = update(r, set), *counter = e ? nftnl_expr_alloc("counter") : NULL;
	if (counter)
		nftnl_expr_set(e, NFTNL_EXPR_DYNSET_EXPR, counter, 0);
}

void do_zero_mark(struct rule_writer *r)
{
	const uint32_t zero = 0;
	part_immediate(r, NFT_REG_1, &zero, sizeof(zero));
	part_store_meta(r, NFT_META_MARK, NFT_REG_1);
}

static void replace_mark_bits(struct rule_writer *r, uint32_t bits, uint32_t set)
{
	uint32_t keep = ~bits;
	part_meta(r, NFT_META_MARK, NFT_REG_1);
	struct nftnl_expr *e = part_add(r, "bitwise");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(keep));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &keep, sizeof(keep));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &set, sizeof(set));
	part_store_meta(r, NFT_META_MARK, NFT_REG_1);
}

void do_change_mark(struct rule_writer *r, uint32_t bits, uint32_t value)
{
	replace_mark_bits(r, bits << r->mark_shift, value << r->mark_shift);
}

void do_add_mark(struct rule_writer *r, uint32_t bits)
{
	replace_mark_bits(r, bits, bits);
}
