/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/gateways.h"
#include "common/hmap.h"
#include "common/json.h"

/* What every daemon last told of itself, the own one too: one report per instance, kept for a day
 * after it fell silent, so that it is seen to be missing. */
struct report {
	enum bus_daemon daemon;
	char gateway[GATEWAY_NAME]; /* "": the one without a name, or everybody's */
	char instance[17], version[32];
	int64_t at; /* epoch ms, of its coming */
	cJSON *json;
};

struct statuses {
	struct hmap reports; /* "daemon@gateway:instance" → struct report; bounded */
	int64_t opened_at;
	const struct gateways *gateways;
};

int statuses_open(struct statuses *s, struct bus *bus, const struct gateways *gateways);
void statuses_fini(struct statuses *s);
/* Has it reported within 15 s? now: epoch ms. */
bool report_is_up(const struct report *r, int64_t now);
/* By daemon, gateway and instance; at most max, how many is returned. */
enum { REPORTS_MAX = 512 };
size_t statuses_sorted(const struct statuses *s, const struct report **out, size_t max);
/* A daemon that there should be and that never reported. */
struct absent {
	enum bus_daemon daemon;
	const char *gateway;
};
enum { ABSENT_MAX = BUS_DAEMONS * GATEWAYS_MAX };
/* Of everybody's, and of every gateway that has a tunnel; in the order of daemons. How many. */
size_t statuses_absent(const struct statuses *s, struct absent out[static ABSENT_MAX]);

/* Do all four daemons of the gateway report: "ok", "degraded" where some do, "missing". */
const char *statuses_of_gateway(const struct statuses *s, const struct gateway *g, int64_t now);
/* Is some instance of it up, in that gateway if it is of a gateway? */
bool statuses_has(const struct statuses *s, enum bus_daemon d, const char *gateway, int64_t now);

/* One generation that a daemon has not applied yet. */
struct lag {
	char topic[64]; /* "devices:apid" */
	int64_t gen;	/* in its mirror, and elsewhere */
	int64_t applied;
};
/* What r is behind with: its applied generations against the highest that any daemon mirrors. At
 * most max, how many is returned. */
size_t statuses_lags(const struct statuses *s, const struct report *r, struct lag *out, size_t max);
