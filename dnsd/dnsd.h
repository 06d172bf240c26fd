/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/canary.h"
#include "common/policy/policy.h"
#include "common/policy/watches.h"
#include "dnsd/clients.h"
#include "dnsd/conf.h"
#include "dnsd/feeder.h"
#include "dnsd/forward.h"
#include "dnsd/judge.h"
#include "dnsd/listed.h"
#include "dnsd/listen_tcp.h"
#include "dnsd/listen_udp.h"
#include "dnsd/uplink.h"

/* The daemon's state; everything hangs off it. */
struct query;

struct dnsd_counters {
	uint64_t queries, strangers, malformed, unready, hits, stale, blocked, failed, busy;
};

struct dnsd {
	struct daemon *daemon;
	const struct dnsd_conf *conf;
	struct directory *directory;
	struct policy *policy;
	struct canary canary;
	struct clients clients;
	struct cache cache;
	struct forwarder *forwarder;
	struct uplink uplink;
	struct records records;
	struct safesearch safesearch;
	struct rebind rebind;
	bool rebind_lost; /* the prefixes are those of before, for want of memory */
	struct feeder feeder;
	struct listed listed;
	struct watches watches;
	struct timer clock; /* looks for jumps of the wall clock */
	int64_t clock_offset_ms;
	uint8_t cookie_secret[16];
	struct addr block_addresses[DNSD_BLOCK_ADDRESSES_MAX];
	struct name alias; /* judge.alias */
	struct udp_listener **udp;
	struct tcp_listener **tcp;
	size_t listener_count; /* of each */
	struct query *pool;
	struct list free;	 /* queries of the pool that were under way */
	unsigned waiting;	 /* those that are */
	unsigned system_waiting; /* those of the gateway's own daemons among them */
	struct dnsd_counters counters;
	bool clients_open, uplink_open, feeder_open, listed_open, clock_open;
	uint8_t own[MESSAGE_MAX], edited[MESSAGE_MAX], held[MESSAGE_MAX]; /* answers being made */
};

/* bus.c: topics, status. */
int dnsd_bus_start(struct dnsd *d);
void dnsd_bus_stop(struct dnsd *d);

/* features.c: what acts on answers besides lists. */
int dnsd_features_start(struct dnsd *d);
/* settings or configuration have changed. */
void dnsd_features_renew(struct dnsd *d);
void dnsd_features_stop(struct dnsd *d);
void dnsd_features_fini(struct dnsd *d);
/* Everything that a judgement needs, as of now. */
void dnsd_judge(struct dnsd *d, struct judge *out);

/* reload.c: SIGHUP. */
void dnsd_reload(struct daemon *daemon, void *next);
/* explain.c: the request `explain`. */
int dnsd_explain_serve(struct dnsd *d);
/* main.c */
int dnsd_open_forwarder(struct dnsd *d, struct forwarder **out);

/* query_wait.c */
int query_pool_init(struct dnsd *d);
void query_pool_fini(struct dnsd *d);
/* query.c: one client's query from its bytes to its answer. */
/* listen_on_query and listen_is_known; arg is the struct dnsd. */
void query_take(void *arg, const uint8_t *msg, size_t len, struct reply_to *to);
/* ahead.c: listen_on_batch. */
void query_look_ahead(void *arg, const struct mmsghdr *messages, unsigned n);
bool query_source_is_known(void *arg, const struct addr *source);
