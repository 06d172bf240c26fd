/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/timer.h"
#include "syncd/list_consumers.h"
#include "syncd/list_store.h"

/*
 * The last steps of a new domain set (SPEC S4): publish → acknowledgements → in force, or back to
 * the last good one. In force: every daemon that runs and subscribes the set, the web set or the
 * lists has applied what was published. A daemon that has seen a set and not applied it for
 * patience_ms cannot load it: the last good set is published in its place.
 */
enum staging_state {
	STAGING_NONE,	  /* nothing published since the start */
	STAGING_STORING,  /* on its way to Redis */
	STAGING_WAITING,  /* for acknowledgements */
	STAGING_IN_FORCE, /* acknowledged by all */
	STAGING_REFUSED,  /* on the way back to the last good */
};
const char *staging_state_text(enum staging_state s);

struct staging_ops {
	/* The version is in force at all consumers. */
	void (*on_in_force)(void *arg, const struct list_version *v);
	/* Another one than `refused` is published again, why: for people. */
	void (*on_refused)(void *arg, const char *why);
	/* It stays where it is, since there is no other; told once. Also of the web set: who cannot
	 * load a new one keeps the one it has. */
	void (*on_stuck)(void *arg, const char *why);
	/* May what is about the web set be taken for published? */
	bool (*is_settled)(void *arg);
	/* The record was accepted (0), or not. Once for each staging_publish. */
	void (*on_published)(void *arg, int status);
};

struct staging {
	struct bus *bus;
	const struct staging_ops *ops;
	void *arg;
	uint64_t patience_ms, started_at;
	enum staging_state state;
	struct list_version current; /* being published, or published last */
	struct list_version good;    /* in force last; digest "" = none known */
	bool replaced;		     /* the topic is ours: replaced whole once since start */
	bool told_stuck, closed;
	uint64_t told_webset; /* generation of the web set of which it was told that it sticks */
	uint64_t gen;	      /* of current in the topic, 0 = not known yet */
	unsigned flushes;     /* under way */
	struct consumers consumers;
	struct timer beat; /* looks while it waits */
};

/* good: from disk, may be empty. Watches the status of all daemons. */
int staging_open(struct staging *s, uv_loop_t *loop, struct bus *bus,
	const struct list_version *good, uint64_t patience_ms, const struct staging_ops *ops,
	void *arg);
/* Before the bus is closed; the memory is the owner's until the loop has ended. */
void staging_close(struct staging *s);
/* A new set; copies image. 0, and on_published later; or -errno. */
int staging_publish(struct staging *s, const void *image, size_t len, struct list_version *v);
/* What was published last is the newest once more, with other URLs or records: waits for those. */
void staging_recheck(struct staging *s);
/* Adds what it knows to the daemon's status. */
void staging_report(const struct staging *s, cJSON *status);
