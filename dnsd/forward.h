/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "dnsd/cache.h"
#include "dnsd/upstream.h"

/*
 * Asks the upstreams: one job per distinct question, however many wait for it. A job goes to the
 * best upstream, to the next one when that is slow or fails, and ends within FORWARD_DEADLINE_MS.
 * What is learnt goes into the cache.
 */
#define FORWARD_DEADLINE_MS   2800
#define FORWARD_UPSTREAMS_MAX 8

struct forward_result {
	int status; /* 0: stored is there; -ETIMEDOUT: nobody answered; other -errno: the network */
	const uint8_t *stored; /* answer.h; valid during the call */
	struct answer_info info;
};

/* One who waits, embedded in its owner. */
struct forward_waiter {
	struct list node;
	void (*on_done)(struct forward_waiter *w, const struct forward_result *r);
};

struct forwarder;

/* cache outlives the forwarder. specs are copied. -ENOENT or -EINVAL when the CA file cannot be
 * read. */
int forwarder_open(uv_loop_t *loop, const struct upstream_spec *specs, size_t n,
	const char *ca_file, struct cache *cache, struct forwarder **out);
/* Waiters get -ECANCELED. Frees itself in the loop. */
void forwarder_close(struct forwarder *r);
/* on_done comes later, never within the call. w NULL: only refresh the cache. -EBUSY when too many
 * questions are under way, then nothing comes. */
int forwarder_ask(struct forwarder *r, const struct cache_key *key, struct forward_waiter *w);
