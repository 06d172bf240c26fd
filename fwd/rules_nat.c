/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

static void rule_return_mark(struct rule_writer *r, uint32_t mask, uint32_t value, bool equal)
{
	rule_begin(r, "redirect_port");
	match_mark(r, mask, value, equal);
	do_return(r);
	rule_end(r);
}

static void rule_redirect(
	struct rule_writer *r, const struct family *f, uint8_t protocol, uint16_t port, uint16_t to)
{
	rule_begin(r, "redirect_port");
	match_nfproto(r, f->number);
	match_dport(r, protocol, port);
	do_dnat_by_iifname(r, f->number, f->local, to);
	rule_end(r);
}

/* Its hello is read on the way (rules_path.c), if that will do. */
static void rule_leave_in_path(struct rule_writer *r, const struct family *f)
{
	rule_begin(r, "redirect_port");
	match_mark(r, MARK_PROFILE, PROFILE_WALLED, false);
	match_mark(r, MARK_SPLICED | MARK_STRICT, 0, true);
	match_dport(r, IPPROTO_TCP, PORT_HTTPS);
	match_flow_pair_in(r, f->number, f->prove, false);
	do_return(r);
	rule_end(r);
}

/* Only what lies outside the LAN, and only for profiles that may go there; proxyd then holds the
 * device's profile against the address it connects to. */
static void write_intercept(struct rule_writer *r, const struct ruleset_options *o)
{
	/* A walled one's renewal hosts: many websites may share their addresses. */
	foreach_family (f) {
		rule_begin(r, "redirect_port");
		match_mark(r, MARK_PROFILE, PROFILE_WALLED, true);
		match_flow_daddr_in(r, f->number, f->renewal, false);
		do_return(r);
		rule_end(r);
	}
	rule_return_mark(r, MARK_PROFILE, PROFILE_INTRANET, true);
	foreach_family (f) {
		rule_begin(r, "redirect_port");
		match_iifname_daddr_in(r, f->number, f->gateway);
		do_return(r);
		rule_end(r);
		rule_begin(r, "redirect_port");
		match_flow_daddr_in(r, f->number, f->doh, true);
		match_flow_dport(r, IPPROTO_TCP, PORT_HTTPS, PORT_HTTPS);
		do_return(r);
		rule_end(r);
		rule_begin(r, "redirect_port");
		match_flow_daddr_in(r, f->number, f->wan, false);
		do_return(r);
		rule_end(r);
		if (o->path)
			rule_leave_in_path(r, f);
		rule_redirect(r, f, IPPROTO_TCP, PORT_HTTPS, o->tls_port);
	}
	rule_return_mark(r, MARK_OFFLINE_BROWSER, 0, false);
	foreach_family (f)
		rule_redirect(r, f, IPPROTO_TCP, PORT_HTTP, o->http_port);
}

/* The kernel's own ICMPv6 "no route" lets clients wait: it is no final error to their sockets. */
static void write_no_route(struct rule_writer *r)
{
	rule_begin(r, "nat_in");
	match_nfproto(r, NFPROTO_IPV6);
	match_iifname_in(r, "tunnels", true);
	match_not_local(r);
	match_no_route(r);
	end_refused(r, REASON_NO_ROUTE);
}

/* Sees the first packet of each flow. */
void write_redirect(struct rule_writer *r, const struct ruleset_options *o)
{
	/* From elsewhere nobody speaks in a device's name: its address is who it is. */
	rule_begin(r, "nat_in");
	match_iifname_in(r, "tunnels", false);
	match_source_route_in(r, "tunnels");
	end_dropped(r, REASON_UNKNOWN_SOURCE);
	rule_begin(r, "nat_in");
	match_iifname_in(r, "tunnels", true);
	do_jump(r, "redirect_device");
	rule_end(r);
	write_no_route(r);

	rule_begin(r, "redirect_device");
	do_jump(r, "gate");
	rule_end(r);
	rule_begin(r, "redirect_device");
	match_any_dport_in(r, "judged_ports");
	do_goto(r, "redirect_port");
	rule_end(r);
	rule_return_mark(r, MARK_OFFLINE_VPN, 0, false);
	foreach_family (f)
		for (size_t i = 0; i < COUNT(transports); i++)
			rule_redirect(r, f, transports[i], PORT_DNS, o->dns_port);
	if (o->intercept)
		write_intercept(r, o);
}

void write_masquerade(struct rule_writer *r)
{
	rule_begin(r, "nat_out");
	match_iifname_in(r, "tunnels", true);
	match_oifname_in(r, "tunnels", false);
	do_masquerade(r);
	rule_end(r);
}
