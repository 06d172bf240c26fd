/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

static void rule_return_mark(struct rule_writer *r, uint32_t mask, uint32_t value, bool equal)
{
	rule_begin(r, "redirect_device");
	match_mark(r, mask, value, equal);
	do_accept(r);
	rule_end(r);
}

static void rule_redirect(
	struct rule_writer *r, const struct family *f, uint8_t protocol, uint16_t port, uint16_t to)
{
	rule_begin(r, "redirect_device");
	match_nfproto(r, f->number);
	match_dport(r, protocol, port);
	do_dnat_by_iifname(r, f->number, f->local, to);
	rule_end(r);
}

/* Only what lies outside the LAN, and only for profiles that may go there; proxyd then holds the
 * device's profile against the address it connects to. */
static void write_intercept(struct rule_writer *r)
{
	rule_return_mark(r, MARK_PROFILE, PROFILE_WALLED, true);
	rule_return_mark(r, MARK_PROFILE, PROFILE_INTRANET, true);
	foreach_family (f) {
		rule_begin(r, "redirect_device");
		match_iifname_daddr_in(r, f->number, f->gateway);
		do_accept(r);
		rule_end(r);
		rule_begin(r, "redirect_device");
		match_flow_daddr_in(r, f->number, f->doh, true);
		match_flow_dport(r, IPPROTO_TCP, PORT_HTTPS, PORT_HTTPS);
		do_accept(r);
		rule_end(r);
		rule_begin(r, "redirect_device");
		match_flow_daddr_in(r, f->number, f->wan, false);
		do_accept(r);
		rule_end(r);
		rule_redirect(r, f, IPPROTO_TCP, PORT_HTTPS, PORT_INTERCEPT_TLS);
	}
	rule_return_mark(r, MARK_OFFLINE_BROWSER, 0, false);
	foreach_family (f)
		rule_redirect(r, f, IPPROTO_TCP, PORT_HTTP, PORT_INTERCEPT_HTTP);
}

void write_redirect(struct rule_writer *r, const struct ruleset_options *o)
{
	rule_begin(r, "redirect");
	match_iifname_in(r, "tunnels", true);
	do_jump(r, "redirect_device");
	rule_end(r);

	rule_return_mark(r, MARK_OFFLINE_VPN, 0, false);
	foreach_family (f)
		for (size_t i = 0; i < COUNT(transports); i++)
			rule_redirect(r, f, transports[i], PORT_DNS, o->dns_port);
	if (o->intercept)
		write_intercept(r);
}

void write_masquerade(struct rule_writer *r)
{
	rule_begin(r, "masquerade");
	match_iifname_in(r, "tunnels", true);
	match_oifname_in(r, "tunnels", false);
	do_masquerade(r);
	rule_end(r);
}
