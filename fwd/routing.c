/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/routing.h"

#include "common/log.h"
#include "fwd/sysctl.h"
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum { SETTLE_MS = 10, RETRY_MS = 1000 };

static void restore_forwarding(struct routing *r)
{
	if (!r->forwarding || sysctl_forwards(r->sysctl_dir, r->conf))
		return;
	int err = sysctl_allow_forwarding(r->sysctl_dir, r->conf);
	if (err) {
		log_error("forwarding not restored error=%s", strerror(-err));
		timer_start(&r->settle, RETRY_MS, 0);
	} else {
		r->ops->on_healed(r->arg, "forwarding");
	}
}

/* How many rules were missing. A reply that rp_filter drops is worse than no guard. */
static unsigned restore_guard(struct routing *r)
{
	unsigned added = 0;
	const char *what = "net.ipv4.conf.all.src_valid_mark";
	int err = r->guard.wanted ? sysctl_heed_marks(r->sysctl_dir) : 0;
	if (!err) {
		what = "rules";
		err = route_guard_restore(&r->guard, &added);
	}
	bool is_news = err != r->guard_error;
	r->guard_error = err;
	if (!err)
		return added;
	timer_start(&r->settle, RETRY_MS, 0);
	if (is_news) {
		log_error("routing is not guarded what=%s error=%s", what, strerror(-err));
		r->ops->on_unguarded(r->arg, what);
	}
	return added;
}

static void on_settle(struct timer *t)
{
	struct routing *r = t->data;
	restore_forwarding(r);
	if (r->guarding && restore_guard(r))
		r->ops->on_healed(r->arg, "rule");
}

static void schedule(struct nl *nl)
{
	struct routing *r = nl->data;
	if (!timer_is_active(&r->settle))
		timer_start(&r->settle, SETTLE_MS, 0);
}

static void on_event(struct nl *nl, const struct nlmsghdr *msg)
{
	if (msg->nlmsg_type == RTM_NEWNETCONF || msg->nlmsg_type == RTM_NEWRULE ||
		msg->nlmsg_type == RTM_DELRULE)
		schedule(nl);
}

int routing_open(struct routing *r, uv_loop_t *loop, const struct conf_shared *conf, bool guards,
	const char *sysctl_dir, const struct routing_ops *ops, void *arg)
{
	static const struct nl_events handlers = { on_event, schedule, NULL };
	static const unsigned groups[] = { RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
		RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE };
	*r = (struct routing){ .conf = conf, .sysctl_dir = sysctl_dir, .ops = ops, .arg = arg };
	r->events.data = r;
	int err = timer_init(loop, &r->settle, on_settle, r);
	if (!err)
		err = route_guard_open(&r->guard, conf, guards);
	if (!err)
		err = nl_open(&r->events, NETLINK_ROUTE);
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups) && !err; i++)
		err = nl_join(&r->events, groups[i]);
	if (!err)
		err = nl_listen(&r->events, loop, &handlers);
	return err;
}

void routing_guard(struct routing *r)
{
	r->guarding = true;
	restore_guard(r);
}

bool routing_is_guarded(const struct routing *r)
{
	return r->guard.wanted && r->guarding && !r->guard_error;
}

void routing_hold_forwarding(struct routing *r)
{
	r->forwarding = false;
	sysctl_stop_forwarding(r->sysctl_dir, r->conf);
}

int routing_allow_forwarding(struct routing *r)
{
	r->forwarding = true;
	return sysctl_allow_forwarding(r->sysctl_dir, r->conf);
}

void routing_close(struct routing *r)
{
	nl_close_events(&r->events);
	route_guard_close(&r->guard);
	if (r->settle.on_fire)
		timer_close(&r->settle, NULL);
}
