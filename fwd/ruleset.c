/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/ruleset.h"

#include "fwd/marks.h"
#include "fwd/profile.h"
#include "fwd/rule.h"
#include "fwd/sets.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

enum {
	PRIORITY_RAW = -300,
	PRIORITY_DSTNAT = -100,
	PRIORITY_AFTER_DSTNAT = -99,
	PRIORITY_FILTER = 0,
	PRIORITY_SRCNAT = 100,

	PORT_DNS = 53,
	PORT_HTTP = 80,
	PORT_HTTPS = 443,
	PORT_DOT = 853,
	PORT_INTERCEPT_HTTP = 3128,
	PORT_INTERCEPT_TLS = 3129,
	PORT_DEVICE = 8444, /* apid's device listener */
};

static const struct chain {
	const char *name;
	const char *type; /* NULL: no base chain */
	uint32_t hook;
	int32_t priority;
	uint32_t policy;
} chains[] = {
	{ "gate", "filter", NF_INET_PRE_ROUTING, PRIORITY_RAW, NF_ACCEPT },
	{ "redirect", "nat", NF_INET_PRE_ROUTING, PRIORITY_DSTNAT, NF_ACCEPT },
	{ "route", "filter", NF_INET_PRE_ROUTING, PRIORITY_AFTER_DSTNAT, NF_ACCEPT },
	{ "input", "filter", NF_INET_LOCAL_IN, PRIORITY_FILTER, NF_ACCEPT },
	{ "forward", "filter", NF_INET_FORWARD, PRIORITY_FILTER, NF_DROP },
	{ "masquerade", "nat", NF_INET_POST_ROUTING, PRIORITY_SRCNAT, NF_ACCEPT },
	{ .name = "gate_device" },
	{ .name = "redirect_device" },
	{ .name = "route_device" },
	{ .name = "input_device" },
	{ .name = "from_device" },
	{ .name = "to_device" },
	{ .name = "judge" },
	{ .name = "approve" },
	{ .name = "refuse" },
	{ .name = "profile_1" },
	{ .name = "profile_2" },
	{ .name = "profile_3" },
	{ .name = "profile_4" },
};

/* One counter per reason. */
static const char *const counters[] = { "unknown_source", "no_route", "inbound", "invalid",
	"to_device", "switch", "dns", "dot", "quic", "doh", "not_redirected", "profile", "closed" };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct family {
	uint8_t number, icmp, echo;
	const char *gateway, *local, *devices, *lan, *wan, *doh;
} families[] = {
	{ NFPROTO_IPV4, IPPROTO_ICMP, ICMP_ECHO, "gateway4", "local4", "devices4", "lan4", "wan4",
		"doh4" },
	{ NFPROTO_IPV6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, "gateway6", "local6", "devices6",
		"lan6", "wan6", "doh6" },
};
#define foreach_family(f)                                                                          \
	for (const struct family *f = families; f < families + COUNT(families); f++)

static const uint8_t transports[] = { IPPROTO_UDP, IPPROTO_TCP };

/* ---- objects ---- */

static void write_table(struct nft_batch *b, uint16_t type, const char *label)
{
	struct nlmsghdr *msg =
		nft_message(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, "%s", label);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, NFT_TABLE);
	nft_message_end(b, msg);
}

static void write_chain(struct nft_batch *b, const struct chain *c)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chain %s", c->name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_CHAIN_NAME, c->name);
	if (c->type) {
		struct nlattr *hook = mnl_attr_nest_start(msg, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(msg, NFTA_HOOK_HOOKNUM, htonl(c->hook));
		mnl_attr_put_u32(msg, NFTA_HOOK_PRIORITY, htonl((uint32_t)c->priority));
		mnl_attr_nest_end(msg, hook);
		mnl_attr_put_u32(msg, NFTA_CHAIN_POLICY, htonl(c->policy));
		mnl_attr_put_strz(msg, NFTA_CHAIN_TYPE, c->type);
	}
	nft_message_end(b, msg);
}

static void write_counter(struct nft_batch *b, const char *name)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWOBJ, NLM_F_CREATE, "counter %s", name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	struct nlattr *data = mnl_attr_nest_start(msg, NFTA_OBJ_DATA);
	mnl_attr_nest_end(msg, data);
	nft_message_end(b, msg);
}

static void write_flush(struct nft_batch *b)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_DELRULE, 0, "flush of all rules");
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_RULE_TABLE, NFT_TABLE);
	nft_message_end(b, msg);
}

/* ---- rules of several places ---- */

static void rule_goto(struct rule_writer *r, const char *chain, const char *target)
{
	rule_begin(r, chain);
	do_goto(r, target);
	rule_end(r);
}

/* Ends a rule whose matches stand: counted and refused at once. */
static void end_refused(struct rule_writer *r, const char *counter)
{
	do_count(r, counter);
	do_goto(r, "refuse");
	rule_end(r);
}

static void rule_refuse_port(struct rule_writer *r, const char *chain, uint8_t protocol,
	uint16_t port, const char *counter)
{
	rule_begin(r, chain);
	match_flow_dport(r, protocol, port, port);
	end_refused(r, counter);
}

static void end_approved(struct rule_writer *r, bool replies_only)
{
	if (replies_only)
		match_ct_reply(r);
	match_ct_mark_in(r, CT_MARK_EPOCH, "epoch_ok");
	do_accept(r);
	rule_end(r);
}

/* Flows that were approved under the current policy epoch go on without being judged again, and so
 * do ICMP errors about them. Further connections that a helper calls related are judged. */
static void rules_accept_approved(struct rule_writer *r, const char *chain, bool replies_only)
{
	rule_begin(r, chain);
	match_ct_state(r, CT_ESTABLISHED);
	end_approved(r, replies_only);
	foreach_family (f) {
		rule_begin(r, chain);
		match_ct_state(r, CT_RELATED);
		match_l4proto(r, f->icmp);
		end_approved(r, replies_only);
	}
}

/* Without a flow there is nothing to judge. */
static void rule_drop_invalid(struct rule_writer *r, const char *chain)
{
	rule_begin(r, chain);
	match_ct_state(r, CT_INVALID | CT_UNTRACKED);
	do_count(r, "invalid");
	do_drop(r);
	rule_end(r);
}

/* Veths of a lab and Ethernet bridges need it; WireGuard has no neighbours. */
static void rules_accept_neighbours(struct rule_writer *r, const char *chain)
{
	static const uint8_t types[] = { ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT };
	for (size_t i = 0; i < COUNT(types); i++) {
		rule_begin(r, chain);
		match_icmp_type(r, IPPROTO_ICMPV6, types[i]);
		do_accept(r);
		rule_end(r);
	}
}

/* ---- prerouting ---- */

static void write_gate(struct rule_writer *r)
{
	rule_begin(r, "gate");
	match_iifname_in(r, "tunnels", true);
	do_jump(r, "gate_device");
	rule_end(r);

	rule_begin(r, "gate_device");
	do_set_mark(r, 0);
	rule_end(r);
	foreach_family (f) {
		rule_begin(r, "gate_device");
		do_set_mark_from_source(r, f->number, f->devices);
		rule_end(r);
	}
	rule_begin(r, "gate_device");
	match_mark(r, MARK_PROFILE, PROFILE_NONE, false);
	do_accept(r);
	rule_end(r);
	rules_accept_neighbours(r, "gate_device");
	rule_begin(r, "gate_device");
	do_count(r, "unknown_source");
	do_drop(r);
	rule_end(r);
}

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

static void write_redirect(struct rule_writer *r, const struct ruleset_options *o)
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

/* The kernel's own ICMPv6 "no route" lets clients wait: it is no final error to their sockets. */
static void write_route(struct rule_writer *r)
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
	do_count(r, "unknown_source");
	do_drop(r);
	rule_end(r);

	rule_begin(r, "route_device");
	match_not_local(r);
	match_no_route(r);
	end_refused(r, "no_route");
}

/* ---- the gateway itself ---- */

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
	end_refused(r, "switch");
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
	rule_allow_intercepted(r, PORT_INTERCEPT_TLS);
	rule_begin(r, "input_device");
	match_mark(r, MARK_OFFLINE_BROWSER, 0, false);
	end_refused(r, "switch");
	rule_allow_intercepted(r, PORT_INTERCEPT_HTTP);
}

static void write_input(struct rule_writer *r, const struct ruleset_options *o)
{
	rule_begin(r, "input");
	match_iifname_in(r, "tunnels", true);
	do_goto(r, "input_device");
	rule_end(r);

	rules_accept_approved(r, "input_device", false);
	rules_accept_neighbours(r, "input_device");
	rule_drop_invalid(r, "input_device");
	rule_begin(r, "input_device");
	match_mark(r, MARK_PROFILE, PROFILE_NONE, true);
	do_count(r, "unknown_source");
	do_drop(r);
	rule_end(r);
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
	rule_begin(r, "input_device");
	end_refused(r, "closed");
}

/* ---- forward ---- */

static void write_forward(struct rule_writer *r)
{
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

	rules_accept_approved(r, "from_device", false);
	rule_drop_invalid(r, "from_device");
	rule_begin(r, "from_device");
	match_ct_reply(r);
	do_count(r, "inbound");
	do_drop(r);
	rule_end(r);
	rule_begin(r, "from_device");
	match_oifname_in(r, "tunnels", true);
	end_refused(r, "to_device");
	rule_goto(r, "from_device", "judge");

	rules_accept_approved(r, "to_device", true);
	/* An answer to a flow of an older epoch: judged as the device's own packet would be. */
	rule_begin(r, "to_device");
	do_set_mark(r, 0);
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
	do_count(r, "inbound");
	do_drop(r);
	rule_end(r);
}

/* By the flow's first packet, so that both directions come to the same verdict. */
static void write_judge(struct rule_writer *r, const struct ruleset_options *o)
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

static void write_ends(struct rule_writer *r)
{
	rule_begin(r, "approve");
	do_set_ct_mark_from_family(r, "epoch");
	rule_end(r);
	rule_begin(r, "approve");
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

static void write_admin_chain(void *arg, unsigned id, const struct profile *p)
{
	(void)p;
	char name[PROFILE_CHAIN_LEN];
	profile_chain_format(id, name);
	write_chain(arg, &(struct chain){ .name = name });
}

static void write_masquerade(struct rule_writer *r)
{
	rule_begin(r, "masquerade");
	match_iifname_in(r, "tunnels", true);
	match_oifname_in(r, "tunnels", false);
	do_masquerade(r);
	rule_end(r);
}

void ruleset_write(struct nft_batch *b, const struct ruleset_options *o,
	const struct profiles *profiles, bool anew)
{
	write_table(b, NFT_MSG_NEWTABLE, "table");
	if (anew) {
		write_table(b, NFT_MSG_DELTABLE, "deleting the table");
		write_table(b, NFT_MSG_NEWTABLE, "table anew");
	}
	for (size_t i = 0; i < COUNT(chains); i++)
		write_chain(b, &chains[i]);
	profiles_each(profiles, write_admin_chain, b);
	for (size_t i = 0; i < COUNT(counters); i++)
		write_counter(b, counters[i]);
	sets_write(b);
	write_flush(b);

	struct rule_writer r = { .batch = b };
	write_gate(&r);
	write_redirect(&r, o);
	write_route(&r);
	write_input(&r, o);
	write_forward(&r);
	write_judge(&r, o);
	write_builtin_profiles(&r);
	profiles_each(profiles, write_admin_profile, &r);
	write_ends(&r);
	if (o->masquerade)
		write_masquerade(&r);
}
