/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/timer.h"
#include "proxyd/refusals.h"

/*
 * Pass-throughs for apps that will not have our certificate (SPEC P14): a device that has refused
 * it pinned_after times under a name that it may reach and that nothing is filtered under reaches
 * that name undecrypted from then on, for pinned_s. Topic `pinned`: all proxyd processes tell each
 * other of refusals by an event, and the one that holds the lock writes.
 *
 * A pass-through allows nothing: what the name may have is asked of the policy at each connection,
 * and of those that are open whenever it changes.
 */
struct proxy;
struct decision;
struct device_view;

enum { PINS_MAX = 4096, PINS_PER_DEVICE = 64 };

struct pins {
	struct hmap by_id; /* pin_id → struct pin */
	struct refusals refusals;
	struct timer sweep;
	bool is_owner;	 /* this process writes the topic */
	bool is_due;	 /* something is not written, for want of memory */
	unsigned waited; /* turns, for what Redis has */
	uint64_t made;	 /* since the start */
	uint64_t lacked_room;
};

/* 0 or -errno; pins_close in any case. */
int pins_open(struct proxy *p);
void pins_close(struct proxy *p);
void pins_fini(struct proxy *p);
void pins_report(const struct proxy *p, cJSON *status);

/* Is there a pass-through for it that holds now? d: the policy's word on the name. */
bool pins_pass(struct proxy *p, struct device_view *v, const char *host, const struct decision *d);
/* Does what CONNECT for that name leads to pass undecrypted: for this, or by the policy? v NULL: no
 * device. */
bool pins_is_blind(
	struct proxy *p, struct device_view *v, const char *host, const struct decision *d);

/* The device would not have our certificate under that name, over a connection that began then
 * (epoch ms): it said so, or hung up. */
void pins_refused(
	struct proxy *p, const struct addr *device, const char *host, int64_t began, bool is_alert);
/* The device asks for something under that name. */
void pins_trusted(struct proxy *p, const struct addr *device, const char *host);
