/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus_impl.h"

/* One record of an own topic as text; shared by the set and the publications under way. */
struct own_rec {
	unsigned refs;
	size_t text_len; /* 0: a removal */
	char *text;
	char id[];
};

struct publication;

/* The desired state of a topic that this daemon owns, and what Redis has of it. */
struct own_topic {
	struct bus *bus;
	enum bus_topic topic;
	struct hmap records;	/* id → struct own_rec */
	struct hmap dirty;	/* ids changed since the last publication began */
	uint64_t seq, done_seq; /* counts changes: made, and accepted by Redis */
	bool full_needed;
	bool held;     /* failed twice: waits for the next beat */
	bool released; /* another process publishes it */
	unsigned failures;
	struct publication *pub; /* under way, or NULL */
	uint64_t counted_gen;	 /* of the generation whose records Redis is asked for */
	char epoch[33], stored[BUS_STAMP_MAX]; /* as Redis accepted them last, "" = never */
	struct stamp stamp;
	struct list waiters;
};

/* A new record; takes nothing over. text NULL: a removal. */
struct own_rec *own_rec_new(const char *id, const char *text);
struct own_rec *own_rec_ref(struct own_rec *r);
void own_rec_unref(void *rec);
/* Publishes what changed, when Redis is there and nothing is under way. */
void bus_publish(struct own_topic *own);
/* The publication ended: 0, or -errno and everything has to be published again. */
void bus_published(struct own_topic *own, int status, uint64_t seq);
/* A process with a higher fence has published. */
void bus_state_fenced(struct bus *b, uint64_t in_force);
