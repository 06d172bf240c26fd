/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

/*
 * Nearly every packet ends here: of a flow that was approved under the current policy epoch and has
 * no limit. The flow's source is that of its first packet, which the gate knew; in its name nobody
 * speaks from elsewhere.
 */
static void write_fast(struct rule_writer *r)
{
	rule_begin_path_again(r, "forward");
	rule_begin(r, "forward");
	match_iifname_in(r, "tunnels", true);
	match_ct_mark_in(r, 0, "epoch_ok");
	match_ct_state(r, CT_ESTABLISHED | CT_NEW);
	do_accept(r);
	rule_end(r);
	rule_begin(r, "forward");
	match_ct_mark_in(r, 0, "epoch_ok");
	match_ct_reply(r);
	match_ct_state(r, CT_ESTABLISHED);
	do_accept(r);
	rule_end(r);
}

/* What comes back from there is judged like any other. */
static void rule_ask_path(struct rule_writer *r, const char *chain)
{
	rule_begin(r, chain);
	match_ct_mark_bits(r, CT_MARK_PATH);
	do_jump(r, "path_flow");
	rule_end(r);
}

/* What devices send. */
static void write_from_device(struct rule_writer *r)
{
	rule_begin(r, "from_device");
	match_ct_mark_bits(r, UINT32_MAX);
	do_jump(r, "from_approved");
	rule_end(r);
	/* A flow's first packet was at the gate in nat_in. */
	rule_begin(r, "from_device");
	match_ct_confirmed(r);
	do_jump(r, "from_known");
	rule_end(r);
	rule_drop_invalid(r, "from_device");
	rule_begin(r, "from_device");
	match_ct_reply(r);
	end_dropped(r, REASON_INBOUND);
	rule_begin(r, "from_device");
	match_oifname_in(r, "tunnels", true);
	end_refused(r, REASON_TO_DEVICE);
	rule_goto(r, "from_device", "judge");

	/* Let through and never approved: it came up while no rules stood, with no NAT. */
	rule_begin(r, "from_known");
	do_jump(r, "gate");
	rule_end(r);
	rule_begin(r, "from_known");
	match_ct_unmarked(r);
	end_refused(r, REASON_INVALID);

	rule_begin(r, "from_approved");
	match_ct_mark_bits(r, CT_MARK_LIMITED);
	do_jump(r, "upload");
	rule_end(r);
	rule_ask_path(r, "from_approved");
	rules_accept_approved(r, "from_approved", false);
	rules_drop_errors(r, "from_approved");
}

/* What is sent to them. */
static void write_to_device(struct rule_writer *r)
{
	rule_begin(r, "to_device");
	match_ct_mark_bits(r, CT_MARK_LIMITED);
	do_jump(r, "download");
	rule_end(r);
	rule_ask_path(r, "to_device");
	rules_accept_approved(r, "to_device", true);
	rule_begin(r, "to_device");
	match_ct_unmarked(r);
	end_dropped(r, REASON_INBOUND);
	rules_drop_errors(r, "to_device");
	/* An answer to a flow of an older epoch: judged as the device's own packet would be. */
	rule_begin(r, "to_device");
	do_change_mark(r, MARK_ALL, 0);
	rule_end(r);
	foreach_family (f) {
		rule_begin(r, "to_device");
		match_ct_state(r, CT_ESTABLISHED | CT_RELATED);
		match_ct_reply(r);
		do_set_mark_from_flow(r, f->number, f->devices);
		do_goto(r, "judge");
		rule_end(r);
	}
	rule_begin(r, "to_device");
	end_dropped(r, REASON_INBOUND);
}

void write_forward(struct rule_writer *r)
{
	write_fast(r);
	rule_begin(r, "forward");
	match_iifname_in(r, "tunnels", true);
	do_goto(r, "from_device");
	rule_end(r);
	rule_begin(r, "forward");
	match_oifname_in(r, "tunnels", true);
	do_goto(r, "to_device");
	rule_end(r);
	/* What else this host forwards is not ours. */
	rule_begin(r, "forward");
	match_iifname_in(r, "tunnels", false);
	match_oifname_in(r, "tunnels", false);
	do_accept(r);
	rule_end(r);

	write_from_device(r);
	write_to_device(r);
}
