/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/policy.h"
#include "dnsd/canary.h"
#include "dnsd/clients.h"
#include "dnsd/conf.h"
#include "dnsd/forward.h"
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
	struct udp_listener **udp;
	struct tcp_listener **tcp;
	size_t listener_count; /* of each */
	struct query *pool;
	struct list free; /* queries of the pool that are not under way */
	struct dnsd_counters counters;
	bool clients_open, uplink_open;
};

/* bus.c: topics, status. */
int dnsd_bus_start(struct dnsd *d);
void dnsd_bus_stop(struct dnsd *d);

/* query.c: one client's query from its bytes to its answer. */
int query_pool_init(struct dnsd *d);
void query_pool_fini(struct dnsd *d);
/* listen_on_query and listen_is_known; arg is the struct dnsd. */
void query_take(void *arg, const uint8_t *msg, size_t len, struct reply_to *to);
bool query_source_is_known(void *arg, const struct addr *source);
