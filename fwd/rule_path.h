/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/marks.h"
#include "fwd/rule.h"

/* More of rule.h: what in-path judging needs (rules_path.c). Bits of the connection mark, and of
 * the packet mark here, are never shifted. */

/* (ct mark & CT_MARK_PATH) is the state; (packet mark & CT_MARK_PATH) is the answer. */
void match_path_state(struct rule_writer *r, enum path_state state, bool equal);
void match_path_answer(struct rule_writer *r, enum path_answer answer);
/* Any of these bits of the packet mark, unshifted, is set. */
void match_raw_mark_bits(struct rule_writer *r, uint32_t bits);
/* (flags & mask) is value, or is not. Of a TCP packet, which the rule made sure of. */
void match_tcp_flags(struct rule_writer *r, uint8_t mask, uint8_t value, bool equal);
/* Of a UDP packet: header and payload are shorter than that, joined ones together. */
void match_udp_below(struct rule_writer *r, uint16_t len);
/* TCP or UDP: something stands behind its header. */
void match_payload(struct rule_writer *r);
/* (bytes at the offset behind its header & mask) are, or are not, these; too few of them: no
 * match. len at most 16. */
void match_payload_bytes(struct rule_writer *r, uint32_t offset, const uint8_t *mask,
	const uint8_t *value, uint32_t len, bool equal);
/* A counter of the rule's own, one more with each packet that comes so far: that bit is set. */
void match_counter_bit(struct rule_writer *r, unsigned bit, unsigned bits);
/* Destination NAT did not change the flow. */
void match_ct_not_dnat(struct rule_writer *r);
/* It did not pass in its path. */
void match_ct_not_passed(struct rule_writer *r);

/* ct mark = ct mark with these bits replaced. */
void do_change_ct_mark(struct rule_writer *r, uint32_t bits, uint32_t value);
/* packet mark = (ct mark & bits) | value, which has none of these bits */
void do_set_mark_from_ct(struct rule_writer *r, uint32_t bits, uint32_t value);
/* The option of a TCP packet is overwritten with no-operations. */
void do_strip_tcp_option(struct rule_writer *r, uint8_t kind);
/* To userland; with nobody there the packet goes on behind this base chain. native: nft's own
 * expression, else the NFQUEUE target of iptables through nft_compat. */
void do_queue(struct rule_writer *r, uint16_t number, bool native);
