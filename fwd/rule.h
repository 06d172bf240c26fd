/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/nft.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Rules written as calls that read like nft's own language, from left to right:
 *
 *   rule_begin(r, "input");
 *   match_iifname_in(r, "tunnels", true);
 *   do_goto(r, "from_tunnel");
 *   rule_end(r);
 *
 * A rule is appended to its chain in the order of the calls. match_… let the rule go on only where
 * they hold, do_… act. A failure (no memory) stays in the batch: check it at commit. Families are
 * NFPROTO_IPV4 and NFPROTO_IPV6; protocols are IPPROTO_…; ports are in host order.
 */
struct rule_writer {
	struct nft_batch *batch;
	struct nftnl_rule *rule; /* the one being written */
	char chain[32];
	const char *tunnel;  /* the only name in set "tunnels", IFNAMSIZ bytes; NULL: not one */
	unsigned mark_shift; /* all mark bits below are shifted left by so many (marks.h) */
	unsigned count;	     /* rules written, for error messages */
};

void rule_begin(struct rule_writer *r, const char *chain);
void rule_end(struct rule_writer *r);

/* The incoming, outgoing interface is (yes) or is not in the set of names. */
void match_iifname_in(struct rule_writer *r, const char *set, bool yes);
void match_oifname_in(struct rule_writer *r, const char *set, bool yes);
void match_nfproto(struct rule_writer *r, uint8_t family);
void match_l4proto(struct rule_writer *r, uint8_t protocol);
/* TCP or UDP destination port of the packet itself (as after destination NAT). */
void match_dport(struct rule_writer *r, uint8_t protocol, uint16_t port);
/* ICMP or ICMPv6 type; protocol says which. */
void match_icmp_type(struct rule_writer *r, uint8_t protocol, uint8_t type);
/* Incoming interface and destination address together are in the set. */
void match_iifname_daddr_in(struct rule_writer *r, uint8_t family, const char *set);
/* (mark & mask) is value, or is not. */
void match_mark(struct rule_writer *r, uint32_t mask, uint32_t value, bool equal);

/* Any of the states, numbered as the kernel does in NF_CT_STATE_BIT. */
enum { CT_INVALID = 1, CT_ESTABLISHED = 2, CT_RELATED = 4, CT_NEW = 8, CT_UNTRACKED = 64 };
void match_ct_state(struct rule_writer *r, uint32_t states);
/* The packet goes the way of its flow's first one, or the other. */
void match_ct_original(struct rule_writer *r);
void match_ct_reply(struct rule_writer *r);
/* An earlier packet of the flow was let through. */
void match_ct_confirmed(struct rule_writer *r);
void match_ct_dnat(struct rule_writer *r);
/* Any of these bits of the ct mark is set. */
void match_ct_mark_bits(struct rule_writer *r, uint32_t bits);
/* The ct mark is 0. */
void match_ct_unmarked(struct rule_writer *r);
/* (ct mark & mask) is in the set; mask 0: the whole mark. */
void match_ct_mark_in(struct rule_writer *r, uint32_t mask, const char *set);
/* Of the flow's first packet as it came in, whatever the direction of this one. */
void match_flow_protocol(struct rule_writer *r, uint8_t protocol);
void match_flow_dport(struct rule_writer *r, uint8_t protocol, uint16_t from, uint16_t to);
void match_flow_daddr_in(struct rule_writer *r, uint8_t family, const char *set, bool yes);
/* The first bits of the address; 0 matches every address of the family. */
void match_flow_daddr(struct rule_writer *r, uint8_t family, const uint8_t *addr, unsigned bits);
/* No route to the packet's destination. */
void match_no_route(struct rule_writer *r);
/* The way back to the packet's source leaves by one of the interfaces in the set. */
void match_source_route_in(struct rule_writer *r, const char *set);
/* The packet leaves by one of the interfaces in the set. */
void match_route_in(struct rule_writer *r, const char *set);
/* The packet's destination is no address of this host (for such, match_no_route holds too). */
void match_not_local(struct rule_writer *r);

void do_count(struct rule_writer *r, const char *counter);
void do_accept(struct rule_writer *r);
void do_drop(struct rule_writer *r);
void do_jump(struct rule_writer *r, const char *chain);
void do_goto(struct rule_writer *r, const char *chain);
void do_return(struct rule_writer *r);
/* A verdict map on (mark & mask). */
void do_vmap_mark(struct rule_writer *r, uint32_t mask, const char *map);
/* mark = map[incoming interface . source address]; without an entry the rule ends. */
void do_set_mark_from_source(struct rule_writer *r, uint8_t family, const char *map);
/* mark = map[outgoing interface . source address of the flow]. */
void do_set_mark_from_flow(struct rule_writer *r, uint8_t family, const char *map);
/* ct mark = map[family of the packet]. */
void do_set_ct_mark_from_family(struct rule_writer *r, const char *map);
void do_reset(struct rule_writer *r);  /* reject with tcp reset */
void do_reject(struct rule_writer *r); /* reject with icmpx admin-prohibited */
/* The TCP packet itself becomes a reset of the same sequence number. */
void do_turn_into_reset(struct rule_writer *r);
/* dnat to map[incoming interface]:port */
void do_dnat_by_iifname(struct rule_writer *r, uint8_t family, const char *map, uint16_t port);
void do_masquerade(struct rule_writer *r);
