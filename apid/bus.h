/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/policy/directory.h"

/*
 * What apid publishes: the kept topics, as MariaDB has them. Nothing is published before the first
 * complete load, so that a restart without MariaDB leaves what is on the bus.
 */
struct publisher;

struct publisher *publisher_open(uv_loop_t *loop, struct bus *bus); /* NULL without memory */
/* Waiting calls of publisher_await_peer end with -ECANCELED. Freed with publisher_free after the
 * loop has ended. */
void publisher_close(struct publisher *p);
void publisher_free(struct publisher *p);
/* Was a complete state published? */
bool publisher_is_loaded(const struct publisher *p);

/* A complete load: add every record, then end (publishes the difference) or cancel. add takes
 * record over, also on error. */
int publisher_load_add(struct publisher *p, enum bus_topic topic, const char *id, cJSON *record);
int publisher_load_end(struct publisher *p);
void publisher_load_cancel(struct publisher *p);

/* One record; set takes it over. */
int publisher_set(struct publisher *p, enum bus_topic topic, const char *id, cJSON *record);
int publisher_remove(struct publisher *p, enum bus_topic topic, const char *id);

/* W4 for a device record of the bus, with the settings and quotas of now. */
enum entitlement publisher_entitlement(const struct publisher *p, const cJSON *device);

/*
 * Waits until what was published so far is in force in wgd, for that device. on_done: 0; -EPERM
 * with why: wgd refuses the peer (W8); -ETIMEDOUT (2 s), -EBUSY (too many wait), -ECANCELED.
 * public_key: the key that the peer must have, NULL = whichever.
 */
void publisher_await_peer(struct publisher *p, const char *id, const char *public_key,
	void (*on_done)(void *arg, int status, const char *why), void *arg);
