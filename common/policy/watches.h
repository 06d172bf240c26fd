/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/directory.h"

/*
 * Who is looking at which device (topic `watch`), and how much of what it does may be told (SPEC
 * D10, P16): none and counts nothing, domains the registrable domain, full all of it.
 */
struct watches {
	struct bus *bus;
	struct hmap records; /* id → struct rec_watch */
	const void *psl;     /* public suffixes */
};

int watches_open(struct watches *w, struct bus *bus);
void watches_fini(struct watches *w);
/* Can there be a device that is told of? Cheap, and settles most. */
bool watches_are_any(const struct watches *w, const struct settings *s);
/* Is what this device does told now? now_ms is wall time. */
bool watches_has(const struct watches *w, const struct device_view *v, const struct settings *s,
	int64_t now_ms);
/* What a device of privacy `domains` lets be told of a name: the registrable domain, within name; a
 * public suffix itself, which says nothing of anybody; else "". */
const char *watches_domain(const struct watches *w, const char *name);
