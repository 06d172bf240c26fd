/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include "fwd/feed.h"
#include "fwd/rule_path.h"
#include <linux/netfilter.h>
#include <netinet/in.h>

/* A walled device is not redirected: its profile alone says what it may reach. */
static void refuse_not_redirected(struct rule_writer *r, const struct ruleset_options *o)
{
	static const uint16_t intercepted[] = { PORT_HTTP, PORT_HTTPS };
	foreach_family (f)
		for (size_t i = 0; i < COUNT(intercepted); i++) {
			rule_begin(r, "judge");
			match_mark(r, MARK_PROFILE, PROFILE_WALLED, false);
			if (intercepted[i] == PORT_HTTPS)
				match_ct_not_passed(r);
			/* The others' are judged in the path. */
			if (o->path && intercepted[i] == PORT_HTTPS)
				match_mark(r, MARK_SPLICED | MARK_STRICT, 0, false);
			match_flow_daddr_in(r, f->number, f->wan, true);
			match_flow_dport(r, IPPROTO_TCP, intercepted[i], intercepted[i]);
			end_refused(r, REASON_NOT_REDIRECTED);
		}
}

/* Live flows keep their element: all are judged again from time to time (strict.h). */
static void write_strict(struct rule_writer *r)
{
	foreach_family (f) {
		rule_begin(r, "strict");
		match_flow_pair_in(r, f->number, f->strict, false);
		end_refused(r, REASON_STRICT);
	}
	foreach_family (f) {
		rule_begin(r, "strict");
		do_refresh_flow_pair(r, f->number, f->strict, FEED_STRICT_S);
		rule_end(r);
	}
}

/* Refused, so that browsers take TCP, where its hello cannot be read on the way. */
static void write_quic(struct rule_writer *r, const struct ruleset_options *o)
{
	if (o->path_kind != PATH_QUEUE_NONE)
		foreach_family (f) {
			rule_begin(r, "judge_port");
			if (!o->path)
				match_ct_mark_bits(r, CT_MARK_PATH);
			match_mark(r, MARK_QUIC, 0, false);
			match_mark(r, MARK_SPLICED | MARK_STRICT, 0, true);
			match_flow_daddr_in(r, f->number, f->wan, true);
			match_flow_dport(r, IPPROTO_UDP, PORT_HTTPS, PORT_HTTPS);
			do_return(r);
			rule_end(r);
		}
	rule_refuse_port(r, "judge_port", IPPROTO_UDP, PORT_HTTPS, REASON_QUIC);
}

/* What is refused by its port, whoever sends it. */
static void write_ports(struct rule_writer *r, const struct ruleset_options *o)
{
	/* Nothing may slip past the redirect. */
	for (size_t i = 0; i < COUNT(transports); i++)
		rule_refuse_port(r, "judge_port", transports[i], PORT_DNS, REASON_DNS);
	for (size_t i = 0; i < COUNT(transports); i++)
		rule_refuse_port(r, "judge_port", transports[i], PORT_DOT, REASON_DOT);
	write_quic(r, o);
	foreach_family (f) {
		rule_begin(r, "judge_port");
		match_flow_daddr_in(r, f->number, f->doh, true);
		match_flow_dport(r, IPPROTO_TCP, PORT_HTTPS, PORT_HTTPS);
		end_refused(r, REASON_DOH);
	}
	rule_begin(r, "judge_port");
	match_mark(r, MARK_OFFLINE_BROWSER, 0, false);
	match_flow_dport(r, IPPROTO_TCP, PORT_HTTP, PORT_HTTP);
	end_refused(r, REASON_SWITCH);
	if (o->intercept)
		refuse_not_redirected(r, o);
}

/* Which lists act on a device holds outside the LAN. A packet on its way while the rules change may
 * have a mask id of before, that leads nowhere: then nothing is known of it. */
static void write_masks(struct rule_writer *r, const struct ruleset_options *o)
{
	foreach_family (f) {
		rule_begin(r, "lists");
		match_flow_daddr_in(r, f->number, f->lan, true);
		do_return(r);
		rule_end(r);
	}
	/* Judged by its name, in the path. */
	if (o->intercept && o->path_kind != PATH_QUEUE_NONE) {
		rule_begin(r, "lists");
		match_flow_dport(r, IPPROTO_TCP, PORT_HTTPS, PORT_HTTPS);
		do_return(r);
		rule_end(r);
	}
	rule_begin(r, "lists");
	do_vmap_mark(r, MARK_MASK_ID, "masks");
	rule_end(r);
	rule_refuse_rest(r, "lists", REASON_LISTED);
}

/* What few devices have. */
static void write_switches(struct rule_writer *r)
{
	rule_begin(r, "judge_device");
	match_mark(r, MARK_OFFLINE_VPN, 0, false);
	end_refused(r, REASON_SWITCH);
	rule_begin(r, "judge_device");
	match_mark(r, MARK_STRICT, 0, false);
	do_jump(r, "strict");
	rule_end(r);
	foreach_family (f) {
		rule_begin(r, "judge_device");
		match_mark(r, MARK_EGRESS, 0, false);
		match_flow_daddr_in(r, f->number, f->wan, true);
		do_jump(r, "egress");
		rule_end(r);
	}
}

/* By the flow's first packet, so that both directions come to the same verdict. */
void write_judge(struct rule_writer *r, const struct ruleset_options *o)
{
	for (size_t i = 0; i < COUNT(transports); i++) {
		rule_begin(r, "judge");
		match_flow_dport_in(r, transports[i], "judged_ports", true);
		do_jump(r, "judge_port");
		rule_end(r);
	}
	rule_begin(r, "judge");
	match_flow_daddr_in(r, NFPROTO_IPV6, "embedded6", true);
	end_refused(r, REASON_EMBEDDED);
	rule_begin(r, "judge");
	match_mark(r, MARK_OFFLINE_VPN | MARK_STRICT | MARK_EGRESS, 0, false);
	do_jump(r, "judge_device");
	rule_end(r);
	rule_begin(r, "judge");
	match_mark(r, MARK_MASK_ID, 0, false);
	do_jump(r, "lists");
	rule_end(r);
	rule_begin(r, "judge");
	do_vmap_mark(r, MARK_PROFILE, "profiles");
	rule_end(r);
	rule_refuse_rest(r, "judge", REASON_PROFILE);
	write_switches(r);
	write_ports(r, o);
	write_masks(r, o);
	write_strict(r);
}

static void write_tally(struct rule_writer *r)
{
	foreach_family (f) {
		rule_begin(r, "refuse");
		do_tally_reason(r, f->number, f->refused, (uint32_t)MARK_REASON << r->mark_shift);
		rule_end(r);
	}
}

void write_ends(struct rule_writer *r, const struct ruleset_options *o)
{
	rules_begin_path(r, o);
	rule_begin(r, "approve");
	match_mark(r, MARK_LIMITED, 0, false);
	do_set_ct_mark_from_family(r, "epoch_limited");
	do_accept(r);
	rule_end(r);
	rule_begin(r, "approve");
	do_set_ct_mark_from_family(r, "epoch");
	rule_end(r);
	rule_begin(r, "approve");
	do_accept(r);
	rule_end(r);

	write_tally(r);
	/* A download ends at once: its next segment tells the device so. */
	rule_begin(r, "refuse");
	match_ct_reply(r);
	match_iifname_in(r, "tunnels", false);
	match_l4proto(r, IPPROTO_TCP);
	do_turn_into_reset(r);
	do_accept(r);
	rule_end(r);
	rule_begin(r, "refuse");
	match_ct_reply(r);
	do_drop(r);
	rule_end(r);
	rule_begin(r, "refuse");
	match_l4proto(r, IPPROTO_TCP);
	do_reset(r);
	rule_end(r);
	rule_begin(r, "refuse");
	do_reject(r);
	rule_end(r);
}
