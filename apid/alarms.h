/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/gateways.h"
#include "common/list.h"

/*
 * Alarms that daemons raise, by their events `alarm`: the last ALARMS_MAX are kept in memory since
 * apid's start, newest first. The same one again within an hour is counted, not repeated.
 */
enum { ALARMS_MAX = 100 };

struct alarm {
	struct list node;
	enum bus_daemon daemon;
	char gateway[GATEWAY_NAME];
	int64_t first_at, at; /* epoch ms */
	uint64_t count;
	char what[65], detail[513];
};

struct alarms {
	struct list all; /* newest first */
	size_t n;
	uint64_t raised[BUS_DAEMONS]; /* since the start, repeated ones too */
	/* An alarm, is_new when it was not there within the hour. May be NULL. */
	void (*on_alarm)(void *arg, const struct alarm *a, bool is_new);
	void *arg;
	struct alarms_of {
		struct alarms *all;
		const char *gateway;
	} of[GATEWAYS_MAX];
};

int alarms_open(struct alarms *a, const struct gateways *gateways);
void alarms_fini(struct alarms *a);
