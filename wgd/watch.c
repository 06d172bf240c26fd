/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/wgd.h"

#include "common/log.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static void kick_all(struct wgd *w)
{
	for (size_t i = 0; i < w->tunnel_count; i++)
		tunnel_kick(&w->tunnels[i]);
}

static void kick_index(struct wgd *w, int index, const char *name)
{
	for (size_t i = 0; i < w->tunnel_count; i++) {
		struct tunnel *t = &w->tunnels[i];
		if ((index && t->index == index) || (name && !strcmp(name, t->conf->interface)))
			tunnel_kick(t);
	}
}

static void on_link(struct wgd *w, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;
	const char *name = NULL;
	mnl_attr_for_each (attr, msg, sizeof(*ifi)) {
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			name = mnl_attr_get_str(attr);
	}
	kick_index(w, ifi->ifi_index, name);
}

static void on_message(struct nl *nl, const struct nlmsghdr *msg)
{
	struct wgd *w = nl->data;
	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		on_link(w, msg);
		break;
	case RTM_DELADDR:
	case RTM_NEWADDR: {
		const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(msg);
		kick_index(w, (int)ifa->ifa_index, NULL);
	}
	}
}

static void on_overrun(struct nl *nl)
{
	kick_all(nl->data);
}

static const struct nl_events link_events = { on_message, on_overrun, NULL };

/* A socket appeared, went, or was made anew. */
static void on_socket(uv_fs_event_t *handle, const char *file, int events, int status)
{
	(void)events;
	struct wgd *w = handle->data;
	for (size_t i = 0; i < w->tunnel_count; i++) {
		struct tunnel *t = &w->tunnels[i];
		char name[IFNAMSIZ + 8];
		snprintf(name, sizeof(name), "%s.sock", t->conf->interface);
		if (status < 0 || !file || !strcmp(file, name))
			tunnel_kick(t);
	}
}

static void watch_sockets(struct wgd *w)
{
	if (w->conf->backend == WGD_BACKEND_KERNEL ||
		uv_fs_event_init(&w->daemon->loop, &w->sockets))
		return;
	w->sockets.data = w;
	w->watching_sockets = true;
	/* Without the directory the tunnels' own retries find the socket within a second. */
	int err = uv_fs_event_start(&w->sockets, on_socket, w->conf->uapi_dir, 0);
	if (err)
		log_debug("sockets are not watched dir=%s error=%s", w->conf->uapi_dir,
			uv_strerror(err));
}

int wgd_watch_start(struct wgd *w)
{
	static const unsigned groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR };
	w->link_events.data = w;
	int err = nl_open(&w->link_events, NETLINK_ROUTE);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]) && !err; i++)
		err = nl_join(&w->link_events, groups[i]);
	if (!err)
		err = nl_listen(&w->link_events, &w->daemon->loop, &link_events);
	if (!err)
		watch_sockets(w);
	return err;
}

void wgd_watch_stop(struct wgd *w)
{
	nl_close_events(&w->link_events);
	if (w->watching_sockets)
		uv_close((uv_handle_t *)&w->sockets, NULL);
	w->watching_sockets = false;
}
