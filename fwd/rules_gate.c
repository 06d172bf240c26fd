/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

void write_gate(struct rule_writer *r)
{
	rule_begin(r, "gate");
	match_iifname_in(r, "tunnels", true);
	do_jump(r, "gate_device");
	rule_end(r);

	/* Every packet comes by here: where the map has the source, one rule does it all. */
	foreach_family (f) {
		rule_begin(r, "gate_device");
		do_set_mark_from_source(r, f->number, f->devices);
		do_accept(r);
		rule_end(r);
	}
	rule_begin(r, "gate_device");
	do_zero_mark(r);
	rule_end(r);
	rules_accept_neighbours(r, "gate_device");
	rule_begin(r, "gate_device");
	end_dropped(r, REASON_UNKNOWN_SOURCE);
}

/* The kernel's own ICMPv6 "no route" lets clients wait: it is no final error to their sockets. */
void write_route(struct rule_writer *r)
{
	rule_begin(r, "route");
	match_nfproto(r, NFPROTO_IPV6);
	match_ct_state(r, CT_NEW);
	match_iifname_in(r, "tunnels", true);
	do_jump(r, "route_device");
	rule_end(r);

	/* From elsewhere nobody speaks in a device's name: its address is who it is. */
	rule_begin(r, "route");
	match_iifname_in(r, "tunnels", false);
	match_ct_original(r);
	match_source_route_in(r, "tunnels");
	end_dropped(r, REASON_UNKNOWN_SOURCE);

	rule_begin(r, "route_device");
	match_not_local(r);
	match_no_route(r);
	end_refused(r, REASON_NO_ROUTE);
}
