/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"

/*
 * Who enforces what syncd publishes: the daemons that run (their status is not older than 15 s) and
 * subscribe a topic of syncd's, with the generations that they have seen and put in force.
 */
enum consumer_topic { CONSUMER_DOMAINSET, CONSUMER_WEBSET, CONSUMER_LISTS, CONSUMER_TOPICS };

#define CONSUMERS_MAX 64

struct consumer {
	enum bus_daemon daemon;
	char instance[17];
	uint64_t heard_at; /* monotonic ms */
	bool subscribes[CONSUMER_TOPICS];
	uint64_t seen[CONSUMER_TOPICS], applied[CONSUMER_TOPICS]; /* generations */
	/* Since when it has seen, but not applied, the generation that is waited for; 0 = not so.
	 */
	uint64_t stuck_since[CONSUMER_TOPICS];
};

struct consumers {
	struct consumer v[CONSUMERS_MAX];
	size_t n;
};

/* Takes a status in; those of syncd's own and of daemons that subscribe nothing are ignored. */
void consumers_note(struct consumers *c, const struct bus_status *s, uint64_t now);
/* Drops those that are not heard of any more. */
void consumers_forget(struct consumers *c, uint64_t now);
/* Have all that subscribe the topic applied gen? Also true when there is none. */
bool consumers_have(const struct consumers *c, enum consumer_topic topic, uint64_t gen);
/* How many subscribe it. */
size_t consumers_count(const struct consumers *c, enum consumer_topic topic);
/* One that has had the topic's generation gen in sight for patience_ms without applying it, or
 * NULL; keeps stuck_since. */
const struct consumer *consumers_find_stuck(struct consumers *c, enum consumer_topic topic,
	uint64_t gen, uint64_t patience_ms, uint64_t now);
