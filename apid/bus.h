/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/gateways.h"
#include "apid/table.h"
#include "common/bus.h"
#include "common/policy/directory.h"

/*
 * What apid publishes: the kept topics, as MariaDB has them. Of several apid on one database one
 * publishes, the holder; the others know what it published by its status. Nothing is published
 * before the first complete load, so that a restart without MariaDB leaves what is on the bus.
 */
struct publisher;

/* gateways outlives it. NULL without memory. */
struct publisher *publisher_open(uv_loop_t *loop, struct bus *bus, const struct gateways *gateways);
/* Waiting calls of publisher_await_peer end with -ECANCELED. Freed with publisher_free after the
 * loop has ended. */
void publisher_close(struct publisher *p);
void publisher_free(struct publisher *p);

/* This process is the holder from now on, and this is everything (by topic; those not kept are not
 * looked at); make gives a row's record for the bus, NULL without memory; seq: the change it is at.
 * Also called again, when everything was read anew. */
typedef cJSON *(*publisher_make)(void *arg, enum bus_topic topic, const struct table_row *row);
int publisher_publish_all(struct publisher *p, const struct table *tables, publisher_make make,
	void *arg, int64_t seq);
/* What is published from now on has that fence (bus_state_set_fence); on_fenced must lead to
 * publisher_yield. */
void publisher_set_fence(struct publisher *p, uint64_t number,
	void (*on_fenced)(void *arg, uint64_t in_force), void *arg);
/* It is the holder no more: nothing is published. */
void publisher_yield(struct publisher *p);
/* Does this process publish? */
bool publisher_is_holder(const struct publisher *p);
/* The settings of a complete load, in any process. */
void publisher_load_settings(struct publisher *p, const struct table *settings);

/* One record, in any process: only the holder publishes. set takes record over. */
int publisher_set(struct publisher *p, enum bus_topic topic, const char *id, cJSON *record);
int publisher_remove(struct publisher *p, enum bus_topic topic, const char *id);
/* What was set until now is change seq. */
void publisher_reached(struct publisher *p, int64_t seq);
/* Adds to the status what other apid wait for. */
void publisher_fill_status(const struct publisher *p, cJSON *status);

/* W4 for a device record of the bus, with the settings and quotas of now. */
enum entitlement publisher_entitlement(const struct publisher *p, const cJSON *device);
const struct settings *publisher_settings(const struct publisher *p);

/*
 * Waits until change seq is in force in the wgd whose tunnel it is, for that device. on_done: 0;
 * -EPERM with why: wgd refuses the peer (W8); -ETIMEDOUT (2 s), -EBUSY (too many wait), -ECANCELED.
 * public_key: the key that the peer must have, NULL = whichever.
 */
void publisher_await_peer(struct publisher *p, const char *tunnel, int64_t seq, const char *id,
	const char *public_key, void (*on_done)(void *arg, int status, const char *why), void *arg);
/* Do both tunnels ("": none) have the same gateway? */
bool publisher_same_gateway(const struct publisher *p, const char *a, const char *b);
