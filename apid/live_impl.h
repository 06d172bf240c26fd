/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/live.h"
#include "apid/live_filter.h"
#include "apid/websocket.h"

/* Inside of live; for live.c and live_rows.c only. */
struct live_reader {
	struct list node;
	struct live *live;
	struct websocket *ws;
	enum live_kind kind;
	const struct route *route;
	struct actor actor; /* groups: a reference */
	struct live_filter filter;
	uint64_t dropped, told_dropped;
};

/* live_rows.c: rows are made of events, gathered, and sent to those who may see them. */
void live_on_query(void *arg, enum bus_event ev, const void *rec);
void live_on_access(void *arg, enum bus_event ev, const void *rec);
void live_on_gather(struct timer *t);
/* Tells how many rows the reader has missed. */
void live_tell_dropped(struct live_reader *r);
