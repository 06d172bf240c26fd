/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"
#include "common/json.h"

/* What every daemon last told of itself, the own one too: one report per instance, kept for a day
 * after it fell silent, so that it is seen to be missing. */
struct report {
	enum bus_daemon daemon;
	char instance[17], version[32];
	int64_t at; /* epoch ms, of its coming */
	cJSON *json;
};

struct statuses {
	struct hmap reports; /* "daemon:instance" → struct report; bounded */
	int64_t opened_at;
};

int statuses_open(struct statuses *s, struct bus *bus);
void statuses_fini(struct statuses *s);
/* Has it reported within 15 s? now: epoch ms. */
bool report_is_up(const struct report *r, int64_t now);
/* By daemon and instance; at most max, how many is returned. */
enum { REPORTS_MAX = 64 };
size_t statuses_sorted(const struct statuses *s, const struct report **out, size_t max);
/* Is some instance of it up? */
bool statuses_has(const struct statuses *s, enum bus_daemon d, int64_t now);

/* One generation that a daemon has not applied yet. */
struct lag {
	char topic[64]; /* "devices:apid" */
	int64_t gen;	/* in its mirror, and elsewhere */
	int64_t applied;
};
/* What r is behind with: its applied generations against the highest that any daemon mirrors. At
 * most max, how many is returned. */
size_t statuses_lags(const struct statuses *s, const struct report *r, struct lag *out, size_t max);
