/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * How often devices would not have our certificate under a name, of late (SPEC P14). Two kinds of
 * refusal count: an alert that says so, and hanging up on it without a word, which some do (they
 * end the handshake, look at the key, and go) and which may mean something else: it counts half,
 * and no more once the device has asked for something under that name over a connection of ours.
 * What is tried at the same time is one refusal, so that a page's many connections are not taken
 * for many visits. Pure: no clock. Bounded: of what there is too much, of a device or at all, the
 * oldest is forgotten, so that names that are tried once do not stand in the way of others.
 */
enum { REFUSALS_MAX = 1024, REFUSALS_PER_DEVICE = 32, REFUSALS_KEPT_MS = 3600 * 1000 };

struct refusals {
	struct hmap by_id;
};

struct refused {
	const char *device, *name;
	int64_t began, ended; /* the connection, epoch ms */
	bool is_alert;
};

void refusals_init(struct refusals *r);
void refusals_fini(struct refusals *r);
/* How many there are now of that device under that name; 0 also where it could not be counted. */
unsigned refusals_add(struct refusals *r, const struct refused *one);
/* Calls on_each for all; those that it forgets are gone. */
void refusals_each(const struct refusals *r,
	void (*on_each)(void *arg, const char *device, const char *name, unsigned count),
	void *arg);
/* The device trusts us under that name: hanging up meant something else. */
void refusals_trust(struct refusals *r, const char *device, const char *name);
void refusals_forget(struct refusals *r, const char *device, const char *name);
/* Any at all of that device under that name? */
bool refusals_has(const struct refusals *r, const char *device, const char *name);

/* "name@device": names of hosts have no such sign. */
enum { PIN_ID_LEN = 320 };
void pin_id(const char *device, const char *name, char out[static PIN_ID_LEN]);
