/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <netinet/in.h>

/* ICMP is no web. */
static void write_web(struct rule_writer *r)
{
	rule_begin(r, "egress");
	match_flow_dport_in(r, IPPROTO_TCP, "web_tcp", true);
	do_return(r);
	rule_end(r);
	rule_begin(r, "egress");
	match_flow_dport_in(r, IPPROTO_UDP, "web_udp", true);
	do_return(r);
	rule_end(r);
	rule_refuse_rest(r, "egress", REASON_EGRESS);
}

static void write_deny_tunnels(struct rule_writer *r)
{
	rule_begin(r, "egress_tunnels");
	match_flow_protocol_in(r, "denied_protocols");
	end_refused(r, REASON_EGRESS);
	rule_begin(r, "egress_tunnels");
	match_flow_dport_in(r, IPPROTO_TCP, "denied_tcp", true);
	end_refused(r, REASON_EGRESS);
	rule_begin(r, "egress_tunnels");
	match_flow_dport_in(r, IPPROTO_UDP, "denied_udp", true);
	end_refused(r, REASON_EGRESS);
}

void write_egress(struct rule_writer *r)
{
	rule_begin(r, "egress");
	match_mark(r, MARK_EGRESS, MARK_EGRESS_DENY_TUNNELS, true);
	do_goto(r, "egress_tunnels");
	rule_end(r);
	write_web(r);
	write_deny_tunnels(r);
}
