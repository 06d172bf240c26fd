/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rule_path.h"

#include "fwd/marks.h"
#include "fwd/rule_parts.h"
#include "fwd/rule_sets.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <stdlib.h>

enum { TCP_FLAGS = 13, UDP_LENGTH = 4 };

static void compare_path(struct rule_writer *r, uint32_t value, bool equal)
{
	const uint32_t bits = CT_MARK_PATH, want = value << CT_MARK_PATH_SHIFT;
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_compare(r, NFT_REG_1, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, &want, sizeof(want));
}

void match_path_state(struct rule_writer *r, enum path_state state, bool equal)
{
	part_ct(r, NFT_CT_MARK, NFT_REG_1);
	compare_path(r, state, equal);
}

void match_path_answer(struct rule_writer *r, enum path_answer answer)
{
	part_meta(r, NFT_META_MARK, NFT_REG_1);
	compare_path(r, answer, true);
}

static void compare_any(struct rule_writer *r, uint32_t bits)
{
	const uint32_t zero = 0;
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_compare(r, NFT_REG_1, NFT_CMP_NEQ, &zero, sizeof(zero));
}

void match_raw_mark_bits(struct rule_writer *r, uint32_t bits)
{
	part_meta(r, NFT_META_MARK, NFT_REG_1);
	compare_any(r, bits);
}

void match_tcp_flags(struct rule_writer *r, uint8_t mask, uint8_t value, bool equal)
{
	part_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS, 1, NFT_REG_1);
	part_mask(r, NFT_REG_1, &mask, sizeof(mask));
	part_compare(r, NFT_REG_1, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, &value, sizeof(value));
}

void match_udp_below(struct rule_writer *r, uint16_t len)
{
	const uint16_t want = htons(len);
	part_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LENGTH, sizeof(want), NFT_REG_1);
	part_compare(r, NFT_REG_1, NFT_CMP_LT, &want, sizeof(want));
}

void match_payload(struct rule_writer *r)
{
	/* Where there is no first byte, the rule does not go on. */
	part_payload(r, NFT_PAYLOAD_INNER_HEADER, 0, 1, NFT_REG_1);
}

void match_payload_bytes(struct rule_writer *r, uint32_t offset, const uint8_t *mask,
	const uint8_t *value, uint32_t len, bool equal)
{
	part_payload(r, NFT_PAYLOAD_INNER_HEADER, offset, len, NFT_REG_1);
	part_mask(r, NFT_REG_1, mask, len);
	part_compare(r, NFT_REG_1, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, value, len);
}

void match_counter_bit(struct rule_writer *r, unsigned bit, unsigned bits)
{
	struct nftnl_expr *e = part_add(r, "numgen");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NG_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NG_MODULUS, 1U << bits);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NG_TYPE, NFT_NG_INCREMENTAL);
	compare_any(r, 1U << bit);
}

static void match_no_ct_bits(struct rule_writer *r, uint32_t key, uint32_t bits)
{
	const uint32_t zero = 0;
	part_ct(r, key, NFT_REG_1);
	part_mask(r, NFT_REG_1, &bits, sizeof(bits));
	part_compare(r, NFT_REG_1, NFT_CMP_EQ, &zero, sizeof(zero));
}

void match_ct_not_dnat(struct rule_writer *r)
{
	match_no_ct_bits(r, NFT_CT_STATUS, IPS_DST_NAT);
}

void match_ct_not_passed(struct rule_writer *r)
{
	match_no_ct_bits(r, NFT_CT_MARK, CT_MARK_PASSED);
}

static void replace_bits(struct rule_writer *r, uint32_t keep, uint32_t value)
{
	struct nftnl_expr *e = part_add(r, "bitwise");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(keep));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &keep, sizeof(keep));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &value, sizeof(value));
}

void do_change_ct_mark(struct rule_writer *r, uint32_t bits, uint32_t value)
{
	part_ct(r, NFT_CT_MARK, NFT_REG_1);
	replace_bits(r, ~bits, value);
	struct nftnl_expr *e = part_add(r, "ct");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

void do_set_mark_from_ct(struct rule_writer *r, uint32_t bits, uint32_t value)
{
	part_ct(r, NFT_CT_MARK, NFT_REG_1);
	replace_bits(r, bits, value);
	part_store_meta(r, NFT_META_MARK, NFT_REG_1);
}

void do_strip_tcp_option(struct rule_writer *r, uint8_t kind)
{
	struct nftnl_expr *e = part_add(r, "exthdr");
	if (!e)
		return;
	nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, kind);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
}

static void queue_by_target(struct rule_writer *r, uint16_t number)
{
	struct nftnl_expr *e = part_add(r, "target");
	/* It becomes the expression's; the analyzer cannot know.
	 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
	struct xt_NFQ_info_v3 *info = e ? calloc(1, (sizeof(*info) + 7) / 8 * 8) : NULL;
	if (!info) {
		r->batch->failed = -ENOMEM;
		return;
	}
	*info = (struct xt_NFQ_info_v3){
		.queuenum = number, .queues_total = 1, .flags = NFQ_FLAG_BYPASS
	};
	nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, "NFQUEUE");
	nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, 3);
	nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, info, sizeof(*info));
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */

void do_queue(struct rule_writer *r, uint16_t number, bool native)
{
	if (!native) {
		queue_by_target(r, number);
		return;
	}
	struct nftnl_expr *e = part_add(r, "queue");
	if (!e)
		return;
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_NUM, number);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_TOTAL, 1);
	nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_FLAGS, NFT_QUEUE_FLAG_BYPASS);
}
