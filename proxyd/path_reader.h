/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/path_flows.h"
#include "proxyd/path_judged.h"
#include "proxyd/path_live.h"
#include "proxyd/path_queue.h"
#include "proxyd/path_sweep.h"
#include "proxyd/proxy.h"

/*
 * proxyd --path: judges the hellos of connections that stay in the kernel (SPEC P20, P21). fwd's
 * rules (fwd/rules_path.c) give it the first packets of each; its answers become the connection's
 * state. The policy's word is the same as on the way through proxyd (sni.h), and so is the proof
 * that the destination is the name's: where there is none, the device's next connection there goes
 * through proxyd.
 */
struct path_reader {
	struct proxy p; /* of it: d, conf, dir, policy, canary, resolver, names, flows, accesses */
	struct path_queue *queue;
	struct path_flows flows;
	struct path_live live;
	struct path_sweep sweep;
	bool has_strangers;	     /* connections that passed and nobody remembers */
	bool strangers_due;	     /* they are to be cut */
	uint64_t swept_ms, began_ms; /* loop time */
	struct path_judged judged;
	/* To be noted once all was judged in that epoch of p.flows. */
	uint64_t due_stamp, due_epoch;
	bool is_settled;	       /* what Redis has is known, and judged */
	uint64_t reading_since_ms;     /* loop time */
	struct timer tick;	       /* what is over; the queue, once there is a policy */
	uint8_t room[QUIC_PACKET_MAX]; /* for frames of QUIC, while one is read */
	uint64_t packets, allowed, denied, unproven, dropped;
};

/* path_bus.c */
int path_bus_open(struct path_reader *r);
void path_bus_close(struct path_reader *r);

/* path_tidy.c */
void path_tidy_init(struct path_reader *r);
/* Reading begins. */
void path_tidy_begin(struct path_reader *r);
/* Now and then: what is over goes. */
void path_tidy(struct path_reader *r);
/* Connections that passed are judged again; those of which nothing is known are cut. To be called
 * before the topic that it came of is applied. */
void path_policy_changed(struct path_reader *r);
/* Has Redis been asked for all that came from the disk? */
bool path_policy_is_current(const struct path_reader *r);
/* Before one is added: the oldest go where there are too many. */
void path_make_room(struct path_reader *r, struct path_flow *except);

/* path_judge.c: one packet; it is answered before this returns, or held. */
void path_judge(struct path_reader *r, const struct path_queued *q);
/* The reading is over: packets that it holds are dropped. What was allowed is remembered. */
void path_end_reading(struct path_reader *r, struct path_flow *f);
/* All of it is. */
void path_forget(struct path_reader *r, struct path_flow *f);
