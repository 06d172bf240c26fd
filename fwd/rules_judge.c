/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include "fwd/marks.h"
#include "fwd/profile.h"
#include "fwd/sets.h"
#include <linux/netfilter.h>
#include <netinet/in.h>

/* By the flow's first packet, so that both directions come to the same verdict. */
void write_judge(struct rule_writer *r, const struct ruleset_options *o)
{
	rule_begin(r, "judge");
	match_mark(r, MARK_PROFILE, PROFILE_NONE, true);
	do_count(r, "unknown_source");
	do_drop(r);
	rule_end(r);
	rule_begin(r, "judge");
	match_mark(r, MARK_OFFLINE_VPN, 0, false);
	end_refused(r, "switch");
	/* Nothing may slip past the redirect. */
	for (size_t i = 0; i < COUNT(transports); i++)
		rule_refuse_port(r, "judge", transports[i], PORT_DNS, "dns");
	for (size_t i = 0; i < COUNT(transports); i++)
		rule_refuse_port(r, "judge", transports[i], PORT_DOT, "dot");
	rule_refuse_port(r, "judge", IPPROTO_UDP, PORT_HTTPS, "quic");
	foreach_family (f) {
		rule_begin(r, "judge");
		match_flow_daddr_in(r, f->number, f->doh, true);
		match_flow_dport(r, IPPROTO_TCP, PORT_HTTPS, PORT_HTTPS);
		end_refused(r, "doh");
	}
	rule_begin(r, "judge");
	match_mark(r, MARK_OFFLINE_BROWSER, 0, false);
	match_flow_dport(r, IPPROTO_TCP, PORT_HTTP, PORT_HTTP);
	end_refused(r, "switch");
	static const uint16_t intercepted[] = { PORT_HTTP, PORT_HTTPS };
	if (o->intercept)
		foreach_family (f)
			for (size_t i = 0; i < COUNT(intercepted); i++) {
				rule_begin(r, "judge");
				match_flow_daddr_in(r, f->number, f->wan, true);
				match_flow_dport(r, IPPROTO_TCP, intercepted[i], intercepted[i]);
				end_refused(r, "not_redirected");
			}
	rule_begin(r, "judge");
	do_vmap_mark(r, MARK_PROFILE, "profiles");
	rule_end(r);
	rule_begin(r, "judge");
	end_refused(r, "profile");
}

void write_ends(struct rule_writer *r)
{
	rule_begin(r, "approve");
	do_set_ct_mark_from_family(r, "epoch");
	rule_end(r);
	rule_begin(r, "approve");
	do_accept(r);
	rule_end(r);

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

static void write_builtin_profiles(struct rule_writer *r)
{
	rule_begin(r, "profile_1");
	end_refused(r, "profile");
	rule_goto(r, "profile_2", "approve");
	foreach_family (f) {
		rule_begin(r, "profile_3");
		match_flow_daddr_in(r, f->number, f->wan, true);
		do_goto(r, "approve");
		rule_end(r);
		rule_begin(r, "profile_4");
		match_flow_daddr_in(r, f->number, f->lan, true);
		do_goto(r, "approve");
		rule_end(r);
	}
	rule_begin(r, "profile_3");
	end_refused(r, "profile");
	rule_begin(r, "profile_4");
	end_refused(r, "profile");
}

static void write_admin_profile(void *arg, unsigned id, const struct profile *p)
{
	struct rule_writer *r = arg;
	char chain[PROFILE_CHAIN_LEN];
	profile_chain_format(id, chain);
	profile_write(p, r, chain);
	rule_begin(r, chain);
	end_refused(r, "profile");
}

void write_profiles(struct rule_writer *r, const struct profiles *profiles)
{
	write_builtin_profiles(r);
	profiles_each(profiles, write_admin_profile, r);
}
