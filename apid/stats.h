/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/alarms.h"
#include "apid/peers.h"
#include "apid/statuses.h"
#include "apid/tallies.h"

/* The message `stats` of /ws/stats: totals since apid's start, and how the daemons are. */
struct stats {
	const struct store *store;
	const struct tallies *tallies;
	const struct peers *peers;
	const struct statuses *statuses;
	const struct alarms *alarms;
};

/* With groups only their devices are summed up, and neither connections nor alarms told. Text to be
 * freed; NULL without memory. */
char *stats_make(const struct stats *s, const struct group_set *groups);
/* Of all devices. */
size_t stats_online(const struct stats *s, const struct group_set *groups);
/* One daemon's report as the API shows it: daemon, gateway, instance, state, version, uptime_s, at,
 * lag. */
cJSON *stats_daemon(const struct statuses *s, const struct report *r);
/* A daemon that never reported. */
cJSON *stats_daemon_missing(enum bus_daemon d, const char *gateway);
/* All of them. */
cJSON *stats_daemons(const struct statuses *s);
cJSON *stats_alarm(const struct alarm *a);
