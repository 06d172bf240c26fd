/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/route_guard.h"

#include "fwd/marks.h"
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum { RULE_BYTES = 256, NO_TUNNEL = -1 };

/* One of ours as the kernel has it. */
struct own_rule {
	uint32_t priority;
	int tunnel; /* which it guards; NO_TUNNEL: none that there is, or not as it should */
	size_t len;
	uint8_t payload[RULE_BYTES];
};

struct reading {
	const struct conf_shared *conf;
	struct own_rule *own;
	size_t n, cap;
	uint32_t first_foreign; /* priority of the first rule that is not ours, local's apart */
};

/* What a rule says, as far as it matters. */
struct rule_facts {
	const char *interface;
	uint32_t priority, mark, mask;
	uint8_t protocol;
	bool narrowed; /* to less than all packets of the interface */
};

static void read_attr(struct rule_facts *f, const struct nlattr *attr)
{
	switch (mnl_attr_get_type(attr)) {
	case FRA_IIFNAME:
		if (!mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			f->interface = mnl_attr_get_str(attr);
		break;
	case FRA_PRIORITY:
		f->priority = mnl_attr_validate(attr, MNL_TYPE_U32) ? 0 : mnl_attr_get_u32(attr);
		break;
	case FRA_FWMARK:
		f->mark = mnl_attr_validate(attr, MNL_TYPE_U32) ? 0 : mnl_attr_get_u32(attr);
		break;
	case FRA_FWMASK:
		f->mask = mnl_attr_validate(attr, MNL_TYPE_U32) ? 0 : mnl_attr_get_u32(attr);
		break;
	case FRA_PROTOCOL:
		f->protocol = mnl_attr_validate(attr, MNL_TYPE_U8) ? 0 : mnl_attr_get_u8(attr);
		break;
	case FRA_OIFNAME:
	case FRA_TUN_ID:
	case FRA_UID_RANGE:
	case FRA_IP_PROTO:
	case FRA_SPORT_RANGE:
	case FRA_DPORT_RANGE:
		f->narrowed = true;
	}
}

static int find_tunnel(const struct conf_shared *conf, const char *interface)
{
	for (size_t i = 0; interface && i < conf->tunnel_count; i++)
		if (!strcmp(conf->tunnels[i].interface, interface))
			return (int)i;
	return NO_TUNNEL;
}

static bool is_whole(const struct fib_rule_hdr *hdr, const struct rule_facts *f)
{
	return hdr->action == FR_ACT_UNREACHABLE && !hdr->src_len && !hdr->dst_len && !hdr->tos &&
	       !(hdr->flags & FIB_RULE_INVERT) && !f->narrowed && !f->mark &&
	       f->mask == MARK_ROUTED;
}

static int append(struct reading *r, const struct own_rule *own)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 8;
		struct own_rule *v = realloc(r->own, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		r->own = v;
		r->cap = cap;
	}
	r->own[r->n++] = *own;
	return 0;
}

static int on_rule(const struct nlmsghdr *msg, void *arg)
{
	struct reading *r = arg;
	size_t len = mnl_nlmsg_get_payload_len(msg);
	const struct fib_rule_hdr *hdr = mnl_nlmsg_get_payload(msg);
	if (msg->nlmsg_type != RTM_NEWRULE || len < sizeof(*hdr))
		return 0;
	struct rule_facts facts = { 0 };
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, sizeof(*hdr))
		read_attr(&facts, attr);
	if (facts.protocol != ROUTE_GUARD_PROTOCOL) {
		/* Nothing comes before what has 0, as the rule for local addresses has. */
		if (facts.priority && facts.priority < r->first_foreign)
			r->first_foreign = facts.priority;
		return 0;
	}
	struct own_rule own = { .priority = facts.priority,
		.tunnel =
			is_whole(hdr, &facts) ? find_tunnel(r->conf, facts.interface) : NO_TUNNEL };
	if (len <= sizeof(own.payload)) {
		memcpy(own.payload, hdr, len);
		own.len = len;
	}
	return append(r, &own);
}

static void on_restart(void *arg)
{
	struct reading *r = arg;
	r->n = 0;
	r->first_foreign = UINT32_MAX;
}

static int read_rules(struct route_guard *g, uint8_t family, struct reading *r)
{
	uint8_t buf[128];
	struct nlmsghdr *msg = nl_prepare(&g->nl, buf, RTM_GETRULE, 0);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));
	hdr->family = family;
	*r = (struct reading){ .conf = g->conf, .first_foreign = UINT32_MAX };
	return nl_dump(&g->nl, msg, on_rule, on_restart, r);
}

static int add_rule(struct route_guard *g, uint8_t family, const char *interface, uint32_t priority)
{
	uint8_t buf[RULE_BYTES];
	struct nlmsghdr *msg = nl_prepare(&g->nl, buf, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));
	hdr->family = family;
	hdr->action = FR_ACT_UNREACHABLE;
	mnl_attr_put_u32(msg, FRA_PRIORITY, priority);
	mnl_attr_put_strz(msg, FRA_IIFNAME, interface);
	mnl_attr_put_u32(msg, FRA_FWMARK, 0);
	mnl_attr_put_u32(msg, FRA_FWMASK, MARK_ROUTED);
	mnl_attr_put_u8(msg, FRA_PROTOCOL, ROUTE_GUARD_PROTOCOL);
	int err = nl_request(&g->nl, msg, NULL, NULL);
	return err == -EEXIST ? 0 : err;
}

/* As the kernel told of it. */
static int delete_rule(struct route_guard *g, const struct own_rule *own)
{
	uint8_t buf[RULE_BYTES + 64];
	struct nlmsghdr *msg = nl_prepare(&g->nl, buf, RTM_DELRULE, 0);
	memcpy(mnl_nlmsg_put_extra_header(msg, own->len), own->payload, own->len);
	int err = nl_request(&g->nl, msg, NULL, NULL);
	return err == -ENOENT ? 0 : err;
}

/* Is one of them in its place? *there: in whichever. */
static bool is_guarded(const struct reading *r, int tunnel, bool *there)
{
	bool first = false;
	*there = false;
	for (size_t i = 0; i < r->n; i++) {
		if (r->own[i].tunnel != tunnel)
			continue;
		*there = true;
		first = first || r->own[i].priority < r->first_foreign;
	}
	return first;
}

static uint32_t free_priority(const struct reading *r)
{
	return r->first_foreign > ROUTE_GUARD_PRIORITY ? ROUTE_GUARD_PRIORITY
						       : r->first_foreign - 1;
}

/* The new one comes before the old one goes. */
static int restore_family(struct route_guard *g, uint8_t family, unsigned *added)
{
	struct reading r;
	int err = read_rules(g, family, &r);
	/* Where the kernel has no such rules there are none to take out. */
	if (!g->wanted && (err == -EOPNOTSUPP || err == -EAFNOSUPPORT))
		err = 0;
	for (size_t i = 0; g->wanted && i < g->conf->tunnel_count && !err; i++) {
		bool there;
		if (is_guarded(&r, (int)i, &there))
			continue;
		err = add_rule(g, family, g->conf->tunnels[i].interface, free_priority(&r));
		*added += !there && !err;
	}
	for (size_t i = 0; i < r.n && !err; i++)
		if (r.own[i].len && (!g->wanted || r.own[i].tunnel == NO_TUNNEL ||
					    r.own[i].priority >= r.first_foreign))
			err = delete_rule(g, &r.own[i]);
	free(r.own);
	return err;
}

int route_guard_open(struct route_guard *g, const struct conf_shared *conf, bool wanted)
{
	*g = (struct route_guard){ .conf = conf, .wanted = wanted };
	return nl_open(&g->nl, NETLINK_ROUTE);
}

void route_guard_close(struct route_guard *g)
{
	nl_close(&g->nl);
}

int route_guard_restore(struct route_guard *g, unsigned *added)
{
	*added = 0;
	int err = restore_family(g, AF_INET, added);
	int err6 = restore_family(g, AF_INET6, added);
	return err ? err : err6 == -EAFNOSUPPORT ? 0 : err6;
}
