/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <linux/netfilter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

const struct family families[] = {
	{ NFPROTO_IPV4, IPPROTO_ICMP, ICMP_ECHO, "gateway4", "local4", "own4", "devices4", "lan4",
		"wan4", "doh4", "guard4", "upload4", "download4", "listed4_lo", "listed4_hi",
		"strict4", "renewal4", "refused4", "prove4" },
	{ NFPROTO_IPV6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, "gateway6", "local6", "own6",
		"devices6", "lan6", "wan6", "doh6", "guard6", "upload6", "download6", "listed6_lo",
		"listed6_hi", "strict6", "renewal6", "refused6", "prove6" },
};

const uint8_t transports[] = { IPPROTO_UDP, IPPROTO_TCP };

void rule_goto(struct rule_writer *r, const char *chain, const char *target)
{
	rule_begin(r, chain);
	do_goto(r, target);
	rule_end(r);
}

void end_refused(struct rule_writer *r, enum reason reason)
{
	do_count(r, reason_name(reason));
	do_change_mark(r, MARK_REASON, (uint32_t)reason << MARK_REASON_SHIFT);
	do_goto(r, "refuse");
	rule_end(r);
}

void end_dropped(struct rule_writer *r, enum reason reason)
{
	do_count(r, reason_name(reason));
	do_drop(r);
	rule_end(r);
}

void rule_refuse_rest(struct rule_writer *r, const char *chain, enum reason reason)
{
	rule_begin(r, chain);
	end_refused(r, reason);
}

void rule_refuse_port(struct rule_writer *r, const char *chain, uint8_t protocol, uint16_t port,
	enum reason reason)
{
	rule_begin(r, chain);
	match_flow_dport(r, protocol, port, port);
	end_refused(r, reason);
}

static void end_approved(struct rule_writer *r, bool replies_only)
{
	if (replies_only)
		match_ct_reply(r);
	match_ct_mark_in(r, CT_MARK_EPOCH, "epoch_ok");
	do_accept(r);
	rule_end(r);
}

void rules_accept_approved(struct rule_writer *r, const char *chain, bool replies_only)
{
	/* New is also each packet of a flow that is not answered; its first one has no mark yet. */
	rule_begin(r, chain);
	match_ct_state(r, CT_ESTABLISHED | CT_NEW);
	end_approved(r, replies_only);
	foreach_family (f) {
		rule_begin(r, chain);
		match_ct_state(r, CT_RELATED);
		match_l4proto(r, f->icmp);
		end_approved(r, replies_only);
	}
}

void rules_drop_errors(struct rule_writer *r, const char *chain)
{
	foreach_family (f) {
		rule_begin(r, chain);
		match_ct_state(r, CT_RELATED);
		match_l4proto(r, f->icmp);
		end_dropped(r, REASON_INVALID);
	}
}

void rule_drop_invalid(struct rule_writer *r, const char *chain)
{
	rule_begin(r, chain);
	match_ct_state(r, CT_INVALID | CT_UNTRACKED);
	end_dropped(r, REASON_INVALID);
}

void rules_accept_neighbours(struct rule_writer *r, const char *chain)
{
	static const uint8_t types[] = { ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT };
	for (size_t i = 0; i < COUNT(types); i++) {
		rule_begin(r, chain);
		match_icmp_type(r, IPPROTO_ICMPV6, types[i]);
		do_accept(r);
		rule_end(r);
	}
}
