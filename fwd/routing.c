/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/routing.h"

#include "common/log.h"
#include "fwd/sysctl.h"
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

enum { SETTLE_MS = 10, RETRY_MS = 1000 };

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* ---- barrier ---- */

struct rule {
	uint8_t family, action, protocol;
	uint32_t priority, mark, mask;
	char interface[IFNAMSIZ];
};

static struct nlmsghdr *prepare_rule(
	struct routing *r, void *buf, uint16_t type, uint16_t flags, const struct rule *rule)
{
	struct nlmsghdr *msg = nl_prepare(&r->requests, buf, type, flags);
	struct fib_rule_hdr *hdr = mnl_nlmsg_put_extra_header(msg, sizeof(*hdr));
	hdr->family = rule->family;
	hdr->action = rule->action;
	mnl_attr_put_u32(msg, FRA_PRIORITY, rule->priority);
	mnl_attr_put_strz(msg, FRA_IIFNAME, rule->interface);
	mnl_attr_put_u32(msg, FRA_FWMARK, rule->mark);
	mnl_attr_put_u32(msg, FRA_FWMASK, rule->mask);
	mnl_attr_put_u8(msg, FRA_PROTOCOL, rule->protocol);
	return msg;
}

static struct rule make_rule(const struct routing *r, uint8_t family, const char *interface)
{
	struct rule rule = { .family = family,
		.action = FR_ACT_BLACKHOLE,
		.protocol = ROUTING_PROTOCOL,
		.priority = ROUTING_PRIORITY,
		.mask = r->mask };
	memcpy(rule.interface, interface, strnlen(interface, IFNAMSIZ - 1));
	return rule;
}

/* *missed is set when one was not there. */
static int raise_barrier(struct routing *r, bool *missed)
{
	uint8_t buf[512];
	int first = 0;
	for (size_t i = 0; i < r->conf->tunnel_count; i++)
		for (size_t k = 0; k < sizeof(families); k++) {
			struct rule rule = make_rule(r, families[k], r->conf->tunnels[i].interface);
			int err = nl_request(&r->requests,
				prepare_rule(r, buf, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule),
				NULL, NULL);
			if (err == 0)
				*missed = true;
			else if (err != -EEXIST && !first)
				first = err;
		}
	return first;
}

enum { STALE_MAX = 64 };
struct stale {
	const struct routing *r;
	struct rule v[STALE_MAX];
	size_t n;
};

static uint32_t read_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? mnl_attr_get_u32(attr) : 0;
}

static bool read_rule(const struct nlmsghdr *msg, struct rule *rule)
{
	*rule = (struct rule){ 0 };
	if (msg->nlmsg_type != RTM_NEWRULE ||
		mnl_nlmsg_get_payload_len(msg) < sizeof(struct fib_rule_hdr))
		return false;
	const struct fib_rule_hdr *hdr = mnl_nlmsg_get_payload(msg);
	rule->family = hdr->family;
	rule->action = hdr->action;
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, sizeof(*hdr))
		switch (mnl_attr_get_type(attr)) {
		case FRA_PRIORITY:
			rule->priority = read_u32(attr);
			break;
		case FRA_FWMARK:
			rule->mark = read_u32(attr);
			break;
		case FRA_FWMASK:
			rule->mask = read_u32(attr);
			break;
		case FRA_PROTOCOL:
			if (mnl_attr_get_payload_len(attr) == 1)
				rule->protocol = mnl_attr_get_u8(attr);
			break;
		case FRA_IIFNAME:
			if (!mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
				memcpy(rule->interface, mnl_attr_get_str(attr),
					strnlen(mnl_attr_get_str(attr), IFNAMSIZ - 1));
			break;
		}
	return true;
}

static bool is_wanted(const struct routing *r, const struct rule *rule)
{
	for (size_t i = 0; i < r->conf->tunnel_count; i++) {
		struct rule want = make_rule(r, rule->family, r->conf->tunnels[i].interface);
		if (want.action == rule->action && want.priority == rule->priority &&
			want.mark == rule->mark && want.mask == rule->mask &&
			!strcmp(want.interface, rule->interface))
			return true;
	}
	return false;
}

static int on_rule(const struct nlmsghdr *msg, void *arg)
{
	struct stale *s = arg;
	struct rule rule;
	if (read_rule(msg, &rule) && rule.protocol == ROUTING_PROTOCOL && !is_wanted(s->r, &rule) &&
		s->n < STALE_MAX)
		s->v[s->n++] = rule;
	return 0;
}

static void on_restart(void *arg)
{
	struct stale *s = arg;
	s->n = 0;
}

/* Of a tunnel or a mask that the configuration has no more. */
static int remove_stale(struct routing *r)
{
	uint8_t buf[512];
	struct stale s = { .r = r };
	struct nlmsghdr *msg = nl_prepare(&r->requests, buf, RTM_GETRULE, 0);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct fib_rule_hdr));
	int err = nl_dump(&r->requests, msg, on_rule, on_restart, &s);
	for (size_t i = 0; i < s.n && !err; i++)
		err = nl_request(
			&r->requests, prepare_rule(r, buf, RTM_DELRULE, 0, &s.v[i]), NULL, NULL);
	return err;
}

/* ---- watching ---- */

static void on_settle(struct timer *t)
{
	struct routing *r = t->data;
	bool missed = false;
	int err = raise_barrier(r, &missed);
	if (err) {
		log_error("barrier not restored error=%s", strerror(-err));
		timer_start(&r->settle, RETRY_MS, 0);
	} else if (missed) {
		r->on_healed(r->arg, "barrier");
	}
	if (!r->forwarding || sysctl_forwards(r->sysctl_dir, r->conf))
		return;
	err = sysctl_allow_forwarding(r->sysctl_dir, r->conf);
	if (err) {
		log_error("forwarding not restored error=%s", strerror(-err));
		timer_start(&r->settle, RETRY_MS, 0);
	} else {
		r->on_healed(r->arg, "forwarding");
	}
}

static void schedule(struct nl *nl)
{
	struct routing *r = nl->data;
	if (!timer_is_active(&r->settle))
		timer_start(&r->settle, SETTLE_MS, 0);
}

static void on_event(struct nl *nl, const struct nlmsghdr *msg)
{
	if (msg->nlmsg_type == RTM_DELRULE || msg->nlmsg_type == RTM_NEWNETCONF)
		schedule(nl);
}

int routing_open(struct routing *r, uv_loop_t *loop, const struct conf_shared *conf,
	const char *sysctl_dir, uint32_t mask, void (*on_healed)(void *arg, const char *what),
	void *arg)
{
	static const struct nl_events handlers = { on_event, schedule, NULL };
	static const unsigned groups[] = { RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
		RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF };
	*r = (struct routing){ .conf = conf,
		.sysctl_dir = sysctl_dir,
		.mask = mask,
		.on_healed = on_healed,
		.arg = arg };
	r->events.data = r;
	int err = timer_init(loop, &r->settle, on_settle, r);
	if (!err)
		err = nl_open(&r->requests, NETLINK_ROUTE);
	if (!err)
		err = nl_open(&r->events, NETLINK_ROUTE);
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups) && !err; i++)
		err = nl_join(&r->events, groups[i]);
	if (!err)
		err = nl_listen(&r->events, loop, &handlers);
	bool missed;
	if (!err)
		err = raise_barrier(r, &missed);
	return err ? err : remove_stale(r);
}

int routing_allow_forwarding(struct routing *r)
{
	r->forwarding = true;
	return sysctl_allow_forwarding(r->sysctl_dir, r->conf);
}

void routing_close(struct routing *r)
{
	nl_close_events(&r->events);
	if (r->settle.on_fire)
		timer_close(&r->settle, NULL);
}

void routing_fini(struct routing *r)
{
	nl_close(&r->requests);
}
