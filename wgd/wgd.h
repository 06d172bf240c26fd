/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/directory.h"
#include "wgd/follow.h"
#include "wgd/peers.h"
#include "wgd/stats.h"
#include "wgd/tunnel.h"
#include "wgd/usage_file.h"

/* What readings of one interface have found. */
struct reading {
	bool done; /* once in this run, with devices known */
	struct stats_counts counts;
};

/* The daemon: what the parts share. */
struct wgd {
	struct daemon *daemon;
	struct wgd_conf *conf;
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
	struct timer settle;		       /* runs from a change on the bus until its effect */
	uint64_t settled_at_ms, started_at_ms; /* monotonic */
	struct timer call_deadline;
	struct list calls; /* requests that wait */
	size_t call_count;
	uint64_t key_gen;  /* of device_keys, as delivered */
	bool unreported;   /* something was delivered since directory_applied */
	bool devices_lost; /* there was no memory for one */
	bool was_known;
	bool started, closing;
	struct follow *follow;	  /* K's file; NULL = none is followed */
	struct timer leaving;	  /* W4: runs until the next peer's grace is over */
	struct timer unpublished; /* runs while a tunnel is not published as it is now */
	struct stats stats;
	struct usage usage;
	struct usage_file usage_file;
	struct reading *readings; /* parallel to tunnels */
	bool usage_lost;	  /* there was no file of it */
	bool usage_pruned;
	bool usage_due; /* of quotas something is not published, for want of memory */
	char boot_id[40];
};

extern const struct peers_ops wgd_peers_ops;
/* bus.c: topics, the request, status. */
int wgd_bus_start(struct wgd *w);
void wgd_bus_stop(struct wgd *w);
/* Are devices and keys delivered, so that there is a desired state? */
bool wgd_is_known(const struct wgd *w);
/* A pass has ended or something was settled: reports generations, answers who waits. */
void wgd_progress(struct wgd *w);
void wgd_schedule_settle(struct wgd *w);

/* tunnels.c: the topic `tunnels`. All of them: 0 or -errno, then none has changed. */
int wgd_publish_tunnels(struct wgd *w);
/* That one's key, addresses or port changed. What there is no memory for is published later. */
void wgd_publish_tunnel(struct wgd *w, size_t i);
/* Of w->unpublished. */
void wgd_on_unpublished(struct timer *t);

/* readings.c: statistics and usage out of what a full pass reads. Start publishes the topic
 * `usage`. */
int wgd_readings_start(struct wgd *w);
void wgd_readings_stop(struct wgd *w);
void wgd_readings_fini(struct wgd *w);
void wgd_read(struct wgd *w, struct tunnel *t, const struct wg_device *dev);
void wgd_report_readings(const struct wgd *w, cJSON *status);
/* Devices are complete: forgets the usage of those that are no more. Once. */
void wgd_prune_usage(struct wgd *w);
/* silent_hours changed. */
void wgd_set_silence(struct wgd *w);

/* reload.c: SIGHUP. next is the file as read again. */
void wgd_reload(struct daemon *d, void *next);
/* Reads the tunnel's private key, made when missing only at the start. 0, -errno (logged). */
int wgd_load_key(struct wgd *w, size_t i, bool make);

/* repair.c: an operation of tunnels: tells the log and, as an alarm, the bus. */
void wgd_report_repair(void *arg, struct tunnel *t, const struct wg_changes *changes);

/* watch.c: link events and UAPI sockets. */
int wgd_watch_start(struct wgd *w);
void wgd_watch_stop(struct wgd *w);
