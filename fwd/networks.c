/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/networks.h"

#include "common/log.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_MS = 50 };

struct collection {
	const struct networks *w;
	struct prefix *v;
	size_t n, cap;
};

static bool is_tunnel(const struct networks *w, const char *name)
{
	for (size_t i = 0; i < w->conf->tunnel_count; i++)
		if (!strcmp(w->conf->tunnels[i].interface, name))
			return true;
	return false;
}

static int append(struct collection *c, const struct prefix *p)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 16;
		struct prefix *v = realloc(c->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		c->v = v;
		c->cap = cap;
	}
	c->v[c->n++] = prefix_network(p);
	return 0;
}

static int on_address(const struct nlmsghdr *msg, void *arg)
{
	struct collection *c = arg;
	if (msg->nlmsg_type != RTM_NEWADDR ||
		mnl_nlmsg_get_payload_len(msg) < sizeof(struct ifaddrmsg))
		return 0;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(msg);
	char name[IFNAMSIZ];
	size_t want = ifa->ifa_family == AF_INET ? 4 : 16;
	if ((ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6) ||
		ifa->ifa_prefixlen == 0 || !if_indextoname(ifa->ifa_index, name) ||
		!strcmp(name, "lo") || is_tunnel(c->w, name))
		return 0;
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, sizeof(*ifa)) {
		/* IFA_ADDRESS is the other end of a point-to-point link, IFA_LOCAL the own one. */
		uint16_t type = mnl_attr_get_type(attr);
		if ((type != IFA_ADDRESS && type != IFA_LOCAL) ||
			mnl_attr_get_payload_len(attr) != want)
			continue;
		struct prefix p = { .addr = addr_from_bytes(
					    ifa->ifa_family, mnl_attr_get_payload(attr)),
			.len = ifa->ifa_prefixlen };
		int err = append(c, &p);
		if (err)
			return err;
	}
	return 0;
}

static void on_restart(void *arg)
{
	struct collection *c = arg;
	c->n = 0;
}

static int compare(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = addr_compare(&x->addr, &y->addr);
	return order ? order : x->len - y->len;
}

static void sort_unique(struct collection *c)
{
	if (c->n == 0)
		return;
	qsort(c->v, c->n, sizeof(*c->v), compare);
	size_t last = 0;
	for (size_t i = 1; i < c->n; i++)
		if (compare(&c->v[last], &c->v[i]))
			c->v[++last] = c->v[i];
	c->n = last + 1;
}

static bool is_same(const struct networks *w, const struct collection *c)
{
	if (w->n != c->n)
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (compare(&w->v[i], &c->v[i]))
			return false;
	return true;
}

/* Afterwards *changed says whether they differ from before. */
static int read_all(struct networks *w, bool *changed)
{
	uint8_t buf[256];
	struct collection c = { .w = w };
	struct nlmsghdr *msg = nl_prepare(&w->requests, buf, RTM_GETADDR, 0);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifaddrmsg));
	int err = nl_dump(&w->requests, msg, on_address, on_restart, &c);
	if (err) {
		free(c.v);
		return err;
	}
	sort_unique(&c);
	*changed = !is_same(w, &c);
	free(w->v);
	w->v = c.v;
	w->n = c.n;
	return 0;
}

static void on_settle(struct timer *t)
{
	struct networks *w = t->data;
	bool changed = false;
	int err = read_all(w, &changed);
	if (err) {
		log_warning("own networks not read error=%s", strerror(-err));
		timer_start(&w->settle, 1000, 0);
	} else if (changed) {
		log_info("own networks changed count=%zu", w->n);
		w->on_change(w->arg);
	}
}

static void schedule(struct nl *nl)
{
	struct networks *w = nl->data;
	if (!timer_is_active(&w->settle))
		timer_start(&w->settle, SETTLE_MS, 0);
}

static void on_event(struct nl *nl, const struct nlmsghdr *msg)
{
	(void)msg;
	schedule(nl);
}

int networks_open(struct networks *w, uv_loop_t *loop, const struct conf_shared *conf,
	void (*on_change)(void *arg), void *arg)
{
	static const struct nl_events handlers = { on_event, schedule, NULL };
	*w = (struct networks){ .conf = conf, .on_change = on_change, .arg = arg };
	w->events.data = w;
	int err = timer_init(loop, &w->settle, on_settle, w);
	if (!err)
		err = nl_open(&w->requests, NETLINK_ROUTE);
	if (!err)
		err = nl_open(&w->events, NETLINK_ROUTE);
	if (!err)
		err = nl_join(&w->events, RTNLGRP_IPV4_IFADDR);
	if (!err)
		err = nl_join(&w->events, RTNLGRP_IPV6_IFADDR);
	if (!err)
		err = nl_listen(&w->events, loop, &handlers);
	bool changed;
	return err ? err : read_all(w, &changed);
}

void networks_close(struct networks *w)
{
	nl_close_events(&w->events);
	if (w->settle.on_fire)
		timer_close(&w->settle, NULL);
}

void networks_fini(struct networks *w)
{
	nl_close(&w->requests);
	free(w->v);
	w->v = NULL;
}
