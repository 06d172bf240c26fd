/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/hmap.h"
#include "common/policy/settings.h"

/*
 * What each device has used of its byte quota (W7): received and sent bytes per period, from
 * readings of the interfaces' counters. Pure: no clock, no files.
 *
 * A counter that fell, or one of another origin, began at 0. A period begins when the clock enters
 * it; a clock that goes back gives no period back and clears nothing. Only one that stays more than
 * a whole period behind for an hour is believed: then the period's begin is put right, and what was
 * counted stays.
 */
enum { USAGE_ID_MAX = 64, USAGE_READ_MIN_MS = 250, USAGE_READ_QUOTA_MS = 5000 };

struct usage_count {
	uint64_t used;	  /* bytes of this period */
	uint64_t rx, tx;  /* counters as last read */
	uint64_t origin;  /* of those; 0 = never read */
	int64_t quota;	  /* bytes, 0 = none */
	uint64_t read_at; /* monotonic ms, 0 = not in this run */
	bool over;
};

struct usage_ops {
	/* The device's quota is used up, or is not any more. */
	void (*on_flip)(void *arg, const char *id, bool over, uint64_t used_bytes);
};

struct usage {
	struct hmap by_id; /* id → struct usage_count */
	enum quota_period period;
	bool has_since;
	int64_t since;	    /* epoch ms: begin of the present period */
	uint64_t behind_at; /* monotonic ms: when the clock was first found far behind since; 0 */
	size_t over;	    /* devices over their quota */
	size_t limited;	    /* devices with a quota that is not used up */
	uint64_t due_ms;    /* until the next reading is wanted, UINT64_MAX = whenever */
	bool changed;	    /* since the owner cleared it: something is to be stored */
	const struct usage_ops *ops;
	void *arg;
};

/* ops is kept. */
void usage_init(struct usage *u, const struct usage_ops *ops, void *arg);
void usage_fini(struct usage *u);
/* How often quotas begin anew. Takes effect with usage_advance. */
void usage_set_period(struct usage *u, enum quota_period period);
/* The period of now (epoch ms): begins a new one when it is later than the present one. Did it? */
bool usage_advance(struct usage *u, int64_t now_ms, uint64_t mono_ms);
/* The device's quota in bytes, 0 = none. -ENOMEM. */
int usage_set_quota(struct usage *u, const char *id, int64_t quota_bytes);
/* The device is gone. */
void usage_remove(struct usage *u, const char *id);
/* Forgets devices that are not there (those that went while nobody looked). */
void usage_prune(struct usage *u, bool (*is_there)(void *arg, const char *id), void *arg);
/* Before the readings of one interface: due_ms is computed anew. */
void usage_begin_reading(struct usage *u);
/* The device gets counters that stand there already and were another's. -ENOMEM. */
int usage_take_over(
	struct usage *u, const char *id, uint64_t origin, uint64_t rx_bytes, uint64_t tx_bytes);
/*
 * The counters of a device's peer. origin names what they count (this peer of this interface since
 * this boot), never 0. skip: what an unknown device has on its counters is from before anybody
 * counted and does not count. A device that at its present rate would pass its quota brings the
 * next reading forward (due_ms). -ENOMEM.
 */
int usage_read(struct usage *u, const char *id, uint64_t origin, uint64_t rx_bytes,
	uint64_t tx_bytes, uint64_t mono_ms, bool skip);
/* Used bytes of the device in this period; is it over its quota? */
uint64_t usage_get(const struct usage *u, const char *id, bool *over);
/* for each device over its quota */
void usage_each_over(const struct usage *u,
	void (*on_device)(void *arg, const char *id, uint64_t used_bytes), void *arg);

/* Epoch ms at which the period that holds now_ms began; 0 for `never`. UTC. */
int64_t usage_period_start(enum quota_period period, int64_t now_ms);

/* The state as text, with a sum; check out->failed. */
void usage_format(const struct usage *u, struct buf *out);
/* Reads it into a fresh u. -EBADMSG (u is empty then), -ENOMEM. */
int usage_parse(struct usage *u, const void *text, size_t len);
