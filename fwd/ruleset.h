/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "fwd/nft.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * The table `inet culvert`: base chains, chains, rules. What changes from day to day (devices,
 * tunnels, networks, epoch) stands in named sets, so that the rules only change with the
 * configuration and with profiles.
 */
struct profiles;
struct masks;
struct list_bits;

/* By what the kernel gives packets to a process. */
enum path_queue_kind {
	PATH_QUEUE_NONE,
	PATH_QUEUE_NATIVE, /* nft's expression `queue` */
	PATH_QUEUE_TARGET, /* the target NFQUEUE through nft_compat */
};

enum { STORES_MAX = 16 };

struct ruleset_options {
	bool intercept; /* ports 80 and 443 go to proxyd */
	bool masquerade;
	bool guards_routing;	      /* route_guard.h: what comes from a tunnel gets MARK_ROUTED */
	uint16_t dns_port;	      /* of dnsd on the tunnel address */
	uint16_t proxy_port;	      /* of the explicit proxy */
	uint16_t http_port, tls_port; /* of proxyd, where intercepted connections go */
	uint32_t proxyd_uid;	      /* whose connections the output guard limits; 0: no guard */
	struct endpoint resolver;     /* dnsd's system listener, which proxyd may ask */
	/* Redis and its Sentinels over TCP, which proxyd may reach too. */
	struct endpoint stores[STORES_MAX];
	size_t store_count;
	unsigned mark_shift; /* marks.h */
	bool path; /* new flows of HTTPS and QUIC are judged in their path (rules_path.c) */
	enum path_queue_kind path_kind; /* NONE: such flows are refused */
	uint16_t path_queue;
	char tunnel[16]; /* the tunnel's interface where there is one tunnel only */
};

/* Is it a chain of every such table? Those of profiles and masks are not named here. */
bool ruleset_has_chain(const char *name);

/*
 * One mask id's chain, with its rules behind those that it may have, into a table that stands: what
 * leads there is for a later transaction.
 */
void ruleset_write_mask(struct nft_batch *b, const struct ruleset_options *o, unsigned id,
	const struct list_bits *bits);
/*
 * Declares table, chains, sets and counters where they are missing, and replaces every rule. Sets
 * keep their elements. With anew the table is deleted first: only for a table whose chains or sets
 * have another shape, since its maps are empty until the elements of the same batch are there.
 */
void ruleset_write(struct nft_batch *b, const struct ruleset_options *o,
	const struct profiles *profiles, const struct masks *masks, bool anew);
