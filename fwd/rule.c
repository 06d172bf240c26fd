/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rule.h"

#include "fwd/rule_parts.h"
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

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

void part_fib(struct rule_writer *r, uint32_t result, uint32_t flags)
{
	struct nftnl_expr *e = part_add(r, "fib");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
}
