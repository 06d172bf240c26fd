/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

static void rule_allow_service(
	struct rule_writer *r, const struct family *f, uint8_t protocol, uint16_t port)
{
	rule_begin(r, "input_device");
	match_iifname_daddr_in(r, f->number, f->gateway);
	match_dport(r, protocol, port);
	do_goto(r, "approve");
	rule_end(r);
}

static void rule_allow_intercepted(struct rule_writer *r, uint16_t port)
{
	rule_begin(r, "input_device");
	match_dport(r, IPPROTO_TCP, port);
	match_ct_dnat(r);
	do_goto(r, "approve");
	rule_end(r);
}

static void write_services(struct rule_writer *r, const struct ruleset_options *o)
{
	static const uint16_t portal[] = { PORT_HTTP, PORT_HTTPS, PORT_DEVICE };
	foreach_family (f)
		rule_allow_service(r, f, IPPROTO_TCP, o->proxy_port);
	rule_begin(r, "input_device");
	match_mark(r, MARK_OFFLINE_VPN, 0, false);
	end_refused(r, REASON_SWITCH);
	foreach_family (f) {
		for (size_t i = 0; i < COUNT(transports); i++)
			rule_allow_service(r, f, transports[i], o->dns_port);
		for (size_t i = 0; i < COUNT(portal); i++)
			rule_allow_service(r, f, IPPROTO_TCP, portal[i]);
		rule_begin(r, "input_device");
		match_iifname_daddr_in(r, f->number, f->gateway);
		match_icmp_type(r, f->icmp, f->echo);
		do_goto(r, "approve");
		rule_end(r);
	}
	if (!o->intercept)
		return;
	rule_allow_intercepted(r, o->tls_port);
	rule_begin(r, "input_device");
	match_mark(r, MARK_OFFLINE_BROWSER, 0, false);
	end_refused(r, REASON_SWITCH);
	rule_allow_intercepted(r, o->http_port);
}

void write_input(struct rule_writer *r, const struct ruleset_options *o)
{
	rule_begin(r, "input");
	match_iifname_in(r, "tunnels", true);
	do_goto(r, "input_device");
	rule_end(r);
	/* What devices reach on the gateway is not for hosts elsewhere that route the tunnel here.
	 */
	foreach_family (f) {
		rule_begin(r, "input");
		match_not_from_loopback(r);
		match_daddr_in(r, f->number, f->own);
		match_ct_original(r);
		end_dropped(r, REASON_CLOSED);
	}

	rule_begin(r, "input_device");
	match_ct_mark_bits(r, CT_MARK_LIMITED);
	do_jump(r, "upload");
	rule_end(r);
	rules_accept_approved(r, "input_device", false);
	rules_accept_neighbours(r, "input_device");
	rule_begin(r, "input_device");
	do_jump(r, "gate");
	rule_end(r);
	rule_drop_invalid(r, "input_device");
	/* Answers to a ping from the gateway. */
	foreach_family (f) {
		rule_begin(r, "input_device");
		match_l4proto(r, f->icmp);
		match_ct_state(r, CT_ESTABLISHED);
		match_ct_reply(r);
		do_accept(r);
		rule_end(r);
	}
	write_services(r, o);
	rule_refuse_rest(r, "input_device", REASON_CLOSED);
}
