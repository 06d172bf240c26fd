/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/directory.h"
#include "dnsd/message.h"

/*
 * Who is looking at which device's queries (topic `watch`, SPEC D10), and how much of a query may
 * be told: none and counts nothing, domains the registrable domain, full the whole name.
 */
struct watches {
	struct bus *bus;
	struct hmap records; /* id → struct rec_watch */
	const void *psl;     /* public suffixes */
};

int watches_open(struct watches *w, struct bus *bus);
void watches_fini(struct watches *w);
/* Are queries of this device told now? now_ms is wall time. */
bool watches_has(const struct watches *w, const struct device_view *v, const struct settings *s,
	int64_t now_ms);
/* Tells it: verdict is "allowed", "blocked" or "failed", rule what decided ("" for nothing). */
void watches_tell(const struct watches *w, const struct device_view *v, const struct question *q,
	const char *verdict, const char *rule);
