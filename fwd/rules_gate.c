/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

/* Where the map has the source, one rule does it. */
void write_gate(struct rule_writer *r)
{
	foreach_family (f) {
		rule_begin(r, "gate");
		do_set_mark_from_source(r, f->number, f->devices);
		do_return(r);
		rule_end(r);
	}
	rule_begin(r, "gate");
	end_dropped(r, REASON_UNKNOWN_SOURCE);
}

void write_route_in(struct rule_writer *r)
{
	rule_begin(r, "route_in");
	match_iifname_in(r, "tunnels", true);
	do_add_mark(r, MARK_ROUTED);
	do_accept(r);
	rule_end(r);
	/* With rp_filter the kernel asks where the other direction would go, by the mark of this.
	 */
	rule_begin(r, "route_in");
	match_ct_mark_bits(r, UINT32_MAX);
	match_ct_reply(r);
	match_route_in(r, "tunnels");
	do_add_mark(r, MARK_ROUTED);
	rule_end(r);
}
