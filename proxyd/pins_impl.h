/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* What the files of pins.h's implementation share: pins.c has what passes and who tells,
 * pins_owner.c the process that writes. */

/* How often a process looks whether it is to be the owner. */
#define PINS_WAIT_MS 100

/* As the record has it, and what was found out of its name. */
struct pin {
	int64_t until; /* epoch ms */
	int64_t count;
	bool is_revoked;
	bool has_paths;	    /* policy_has_path_rules … */
	uint64_t judged_in; /* … in that epoch of flows */
	char *device, *name;
};

/* NULL without memory. */
struct pin *pin_new(const char *device, const char *name);
void pin_free(void *pin);
/* Takes pin over. -ENOMEM. */
int pins_put(struct pins *ps, struct pin *pin);
/* None lasts longer than one that is made now would: a clock that was set back, or a shorter
 * pinned_s, prolongs nothing. */
bool pin_is_over(const struct proxy *p, const struct pin *pin, int64_t now);
/* Queries to a public resolver, or names within an encrypted hello, that nobody would see (SPEC P3,
 * P15). */
bool pins_hides_names(const struct proxy *p, const char *host, const struct decision *d);
/* Is the name's own verdict all that there is to be said of what it has? */
bool pins_is_plain(const struct proxy *p, const struct device_view *v, const char *host,
	const struct decision *d);
/* The policy's word on a name. */
void pins_decide(struct proxy *p, struct device_view *v, const char *host, struct decision *d);

/* Callbacks of the bus and of the timer; the argument is the proxy. */
void pins_on_refusal(void *arg, enum bus_event ev, const void *rec);
void pins_on_unpin(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args);
void pins_on_sweep(struct timer *t);
