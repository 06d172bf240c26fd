/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/store.h"

/*
 * What dnsd, proxyd and fwd count per device, by their events `count`, added up since apid's start,
 * for the devices that there are. Devices of privacy `none` are not told of by name; what is
 * refused to them is only counted in the total.
 */
struct tally {
	uint64_t dns_allowed, dns_blocked, dns_failed;
	uint64_t web_allowed, web_blocked, web_unknown, web_failed, web_bytes;
	uint64_t refused_packets, refused_bytes;
};

struct tallies {
	const struct store *store;
	int64_t since; /* epoch ms */
	struct tally total;
	struct hmap by_device; /* id → struct tally */
	/* What one event adds. May be NULL. */
	void (*on_more)(void *arg, const char *device, const struct tally *more);
	/* A list has blocked so many, which on_more has told of too. May be NULL. */
	void (*on_list)(void *arg, const char *device, const char *list, uint64_t hits);
	void *arg;
};

int tallies_open(struct tallies *t, const struct gateways *gateways, const struct store *store);
void tallies_fini(struct tallies *t);
void tally_add(struct tally *to, const struct tally *more);
/* The device is gone. */
void tallies_forget(struct tallies *t, const char *device);
