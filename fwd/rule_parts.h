/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/rule.h"
#include <libnftnl/expr.h>

/*
 * The single expressions that rules consist of, inside of rule*.c. Registers are NFT_REG_… or
 * NFT_REG32_…; a failure stays in the batch.
 */
struct nftnl_expr *part_add(struct rule_writer *r, const char *name);
void part_meta(struct rule_writer *r, uint32_t key, uint32_t reg);
void part_store_meta(struct rule_writer *r, uint32_t key, uint32_t reg);
void part_payload(
	struct rule_writer *r, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg);
struct nftnl_expr *part_ct(struct rule_writer *r, uint32_t key, uint32_t reg);
/* The same of the flow's first packet. */
void part_flow(struct rule_writer *r, uint32_t key, uint32_t reg);
void part_compare(struct rule_writer *r, uint32_t reg, uint32_t op, const void *data, uint32_t len);
/* reg = reg & bits */
void part_mask(struct rule_writer *r, uint32_t reg, const void *bits, uint32_t len);
void part_in_set(struct rule_writer *r, uint32_t reg, const char *set, bool yes);
void part_map(struct rule_writer *r, uint32_t reg, const char *set, uint32_t result);
void part_immediate(struct rule_writer *r, uint32_t reg, const void *data, uint32_t len);
void part_verdict(struct rule_writer *r, int code, const char *chain);
void part_fib(struct rule_writer *r, uint32_t result, uint32_t flags);
