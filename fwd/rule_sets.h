/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/rule.h"

/* More of rule.h: what has to do with fed sets, limits, counts per device and the gateway's own
 * packets. */

/* (flow's source . flow's destination) is, or is not, in the set. */
void match_flow_pair_in(struct rule_writer *r, uint8_t family, const char *set, bool yes);
/* map[flow's destination] & bits is not 0. */
void match_flow_bits(struct rule_writer *r, uint8_t family, const char *map, uint32_t bits);
/* The same of the IPv4 address in a NAT64 destination (64:ff9b::/96). */
void match_nat64_bits(struct rule_writer *r, const char *map, uint32_t bits);
/* The port alone; the packet may be of a protocol that has none. */
void match_any_dport_in(struct rule_writer *r, const char *set);
void match_flow_dport_in(struct rule_writer *r, uint8_t protocol, const char *set, bool yes);
void match_flow_protocol_in(struct rule_writer *r, const char *set);
/* Destination of the packet itself. */
void match_daddr_in(struct rule_writer *r, uint8_t family, const char *set);
void match_daddr(struct rule_writer *r, uint8_t family, const uint8_t *addr);
/* It is an address of this host. */
void match_local(struct rule_writer *r);
/* The packet's socket is this user's. */
void match_uid(struct rule_writer *r, uint32_t uid);
void match_not_from_loopback(struct rule_writer *r);
/* The packet is above the limit map[incoming interface . source], map[outgoing interface .
 * destination]; without an entry it never is. */
void match_over_upload(struct rule_writer *r, uint8_t family, const char *map);
void match_over_download(struct rule_writer *r, uint8_t family, const char *map);

/* (flow's source . flow's destination) stays in the set so long from now on. */
void do_refresh_flow_pair(
	struct rule_writer *r, uint8_t family, const char *set, uint32_t timeout_s);
/* The same for as long as the set says. */
void do_add_flow_pair(struct rule_writer *r, uint8_t family, const char *set);
/* Counts in set[flow's source . (mark & bits)]. A full set counts no more. */
void do_tally_reason(struct rule_writer *r, uint8_t family, const char *set, uint32_t reason_bits);
void do_zero_mark(struct rule_writer *r);
/* mark = mark with these bits set to value; the others stay. */
void do_change_mark(struct rule_writer *r, uint32_t bits, uint32_t value);
/* mark = mark with these bits set, as they are: not shifted. */
void do_add_mark(struct rule_writer *r, uint32_t bits);
