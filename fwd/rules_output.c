/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

static void rule_allow_to(struct rule_writer *r, const struct endpoint *to, uint8_t protocol)
{
	rule_begin(r, "output_proxyd");
	match_daddr(r, to->addr.family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6, to->addr.bytes);
	match_dport(r, protocol, to->port);
	do_accept(r);
	rule_end(r);
}

static void end_guarded(struct rule_writer *r)
{
	do_count(r, reason_name(REASON_OUTPUT));
	do_goto(r, "output_refuse");
	rule_end(r);
}

/* What proxyd's user sends (F14). Its own check of the device's profile comes before (P15). */
static void write_guard(struct rule_writer *r, const struct ruleset_options *o)
{
	rule_begin(r, "output_proxyd");
	match_ct_reply(r);
	do_accept(r);
	rule_end(r);
	rule_begin(r, "output_proxyd");
	match_ct_state(r, CT_ESTABLISHED);
	do_accept(r);
	rule_end(r);
	if (o->resolver.port) {
		rule_allow_to(r, &o->resolver, IPPROTO_UDP);
		rule_allow_to(r, &o->resolver, IPPROTO_TCP);
	}
	for (size_t i = 0; i < o->store_count; i++)
		rule_allow_to(r, &o->stores[i], IPPROTO_TCP);
	rule_begin(r, "output_proxyd");
	match_local(r);
	end_guarded(r);
	rule_begin(r, "output_proxyd");
	match_oifname_in(r, "tunnels", true);
	end_guarded(r);
	foreach_family (f) {
		rule_begin(r, "output_proxyd");
		match_daddr_in(r, f->number, f->guard);
		end_guarded(r);
	}
	rule_begin(r, "output_proxyd");
	match_l4proto(r, IPPROTO_TCP);
	do_accept(r);
	rule_end(r);
	rule_begin(r, "output_proxyd");
	end_guarded(r);
}

void write_output(struct rule_writer *r, const struct ruleset_options *o)
{
	rule_begin(r, "output");
	match_oifname_in(r, "tunnels", true);
	match_ct_mark_bits(r, CT_MARK_LIMITED);
	do_jump(r, "download");
	rule_end(r);

	rule_begin(r, "output_refuse");
	match_l4proto(r, IPPROTO_TCP);
	do_reset(r);
	rule_end(r);
	rule_begin(r, "output_refuse");
	do_reject(r);
	rule_end(r);
	if (!o->proxyd_uid)
		return;
	rule_begin(r, "output");
	match_uid(r, o->proxyd_uid);
	do_goto(r, "output_proxyd");
	rule_end(r);
	write_guard(r, o);
}
