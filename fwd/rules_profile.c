/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include "fwd/profile.h"
#include "fwd/sets.h"
#include <netinet/in.h>

/* Where names are judged it is redirected to that, but for the LAN's. */
static void write_walled(struct rule_writer *r, const struct ruleset_options *o)
{
	static const uint16_t web[] = { PORT_HTTP, PORT_HTTPS };
	foreach_family (f)
		for (size_t i = 0; i < COUNT(web); i++) {
			rule_begin(r, "profile_1");
			match_flow_daddr_in(r, f->number, f->renewal, true);
			if (o->intercept)
				match_flow_daddr_in(r, f->number, f->wan, false);
			match_flow_dport(r, IPPROTO_TCP, web[i], web[i]);
			do_goto(r, "approve");
			rule_end(r);
		}
	rule_refuse_rest(r, "profile_1", REASON_PROFILE);
}

static void write_builtin_profiles(struct rule_writer *r, const struct ruleset_options *o)
{
	write_walled(r, o);
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
	rule_refuse_rest(r, "profile_3", REASON_PROFILE);
	rule_refuse_rest(r, "profile_4", REASON_PROFILE);
}

static void write_admin_profile(void *arg, unsigned id, const struct profile *p)
{
	struct rule_writer *r = arg;
	char chain[CHAIN_LEN];
	profile_chain_format(id, chain);
	profile_write(p, r, chain);
	rule_refuse_rest(r, chain, REASON_PROFILE);
}

void write_profiles(
	struct rule_writer *r, const struct ruleset_options *o, const struct profiles *profiles)
{
	write_builtin_profiles(r, o);
	profiles_each(profiles, write_admin_profile, r);
}
