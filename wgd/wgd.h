/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/directory.h"
#include "wgd/peers.h"
#include "wgd/stats.h"
#include "wgd/tunnel.h"

/* The daemon: what the parts share. */
struct wgd {
	struct daemon *daemon;
	const struct wgd_conf *conf;
	struct directory *directory;
	struct peers peers;
	struct peer_tunnel *peer_tunnels; /* parallel to tunnels */
	struct tunnel *tunnels;
	size_t tunnel_count;
	struct nl route; /* rtnetlink requests */
	struct nl rules; /* nfnetlink requests */
	struct nl link_events;
	uv_fs_event_t sockets; /* what happens in uapi_dir */
	bool watching_sockets;
	struct timer settle;	/* runs from a change on the bus until its effect */
	uint64_t settled_at_ms; /* monotonic */
	struct timer call_deadline;
	struct list calls; /* requests that wait */
	size_t call_count;
	uint64_t key_gen; /* of device_keys, as delivered */
	bool unreported;  /* something was delivered since directory_applied */
	bool was_known;
	bool started, closing;
	struct stats stats;
};

extern const struct peers_ops wgd_peers_ops;
/* bus.c: topics, the request, status. */
int wgd_bus_start(struct wgd *w);
void wgd_bus_stop(struct wgd *w);
/* Are devices and keys delivered, so that there is a desired state? */
bool wgd_is_known(const struct wgd *w);
/* A pass has ended or something was settled: reports generations, answers who waits. */
void wgd_progress(struct wgd *w);

/* watch.c: link events and UAPI sockets. */
int wgd_watch_start(struct wgd *w);
void wgd_watch_stop(struct wgd *w);
