/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/bus.h"
#include "common/timer.h"

/*
 * Who watches (topic `watch`, SPEC D10): dnsd and proxyd tell of single queries and requests only
 * of devices that somebody looks at now. Each apid has at most one record, good for a minute and
 * renewed while there are readers. Of several apid the one that publishes has also what the others
 * want, by their status.
 */
#define WATCH_ALL "*" /* as a device: all of them */

struct watching {
	struct bus *bus;
	const struct publisher *publisher;
	const char *instance;	/* kept */
	struct rec_strs wanted; /* by this process */
	struct hmap others;	/* instance → struct other */
	struct timer renew;
	bool has_published;
};

int watching_open(struct watching *w, uv_loop_t *loop, struct bus *bus, const struct publisher *p,
	const char *instance);
void watching_close(struct watching *w);
void watching_fini(struct watching *w);
/* What is watched from here from now on: ids, or WATCH_ALL alone; n 0: nothing. Copied. At most
 * WATCH_DEVICES_MAX, which is what a record holds; nothing changes when it is the same. */
enum { WATCH_DEVICES_MAX = 256 };
void watching_set(struct watching *w, const char *const *devices, size_t n);
void watching_fill_status(const struct watching *w, cJSON *status);
