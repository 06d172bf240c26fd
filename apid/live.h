/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/list_names.h"
#include "apid/live_row.h"
#include "apid/stats.h"
#include "apid/watching.h"

/*
 * Readers of /ws/live and /ws/stats. Rows are gathered for LIVE_GATHER_MS and go out as one
 * message; to a reader whose output waits nothing more is sent, it is told how many rows it missed.
 * Every second each reader is looked at: whose session or token ended, or may less, is closed.
 */
enum { LIVE_GATHER_MS = 100, LIVE_TICK_MS = 1000 };
struct call;
enum live_kind { LIVE_ROWS, LIVE_STATS, LIVE_KINDS };

struct live_options {
	size_t readers_max, per_credential;
	uint32_t ping_ms;
	const char *instance; /* kept */
};

struct live {
	struct api *api;
	struct live_options options;
	struct live_source source;
	struct list_names lists;
	struct stats stats;
	struct watching watching;
	struct list readers[LIVE_KINDS];
	size_t count, row_readers;
	struct hmap per_credential; /* hash → how many readers */
	struct timer gather, tick;
	struct live_row *rows; /* gathered */
	size_t n, cap, bytes;
	uint64_t told, dropped; /* rows, over all readers */
	bool is_closed;
	/* A row, whoever reads. May be NULL. */
	void (*on_row)(void *arg, const struct live_row *r);
	void *arg;
};

/* l is filled with api, options and stats (but for store). 0 or -errno. */
int live_open(struct live *l);
/* Says goodbye to all. */
void live_close(struct live *l);
void live_fini(struct live *l);
/* Adds to the status: readers, rows told and dropped. */
void live_fill_status(const struct live *l, cJSON *status);
/* The call is a handshake that is allowed: makes a reader of it, or answers why not. */
void live_join(struct live *l, struct call *c, enum live_kind kind);
