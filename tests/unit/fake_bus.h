/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"

/*
 * A bus without Redis for unit tests of its consumers: records are put by hand and reach the
 * subscriber as the real bus delivers them.
 */
struct bus *fake_bus_new(void);
void fake_bus_free(struct bus *b);
/* Delivers one record (JSON text with the schema's field names; NULL = deleted) without ending the
 * batch. A text the codec refuses is a bug of the test. */
void fake_bus_put(struct bus *b, enum bus_topic topic, enum bus_daemon owner, const char *id,
	const char *json);
/* Ends the batch: the topic is known from now on. */
void fake_bus_end(struct bus *b, enum bus_topic topic, enum bus_daemon owner);
/* Makes every topic of one owner known. */
void fake_bus_end_of(struct bus *b, enum bus_daemon owner);
/* Makes every topic of apid, and of syncd and wgd, known. */
void fake_bus_end_all(struct bus *b);
/* A file that bus_blob_get hands out, when its path holds the digest. */
void fake_bus_set_blob(struct bus *b, const char *path);
/* The device's tunnel that other gateways have; NULL = none. */
void fake_bus_set_elsewhere(struct bus *b, const char *tunnel);
/* From now on records may be lost (bus_record_lost); around is called before (true) and after each
 * callback of a subscriber. */
void fake_bus_may_lose(struct bus *b, void (*around)(bool begins));
/* Was something lost since this was last asked? */
bool fake_bus_lost(struct bus *b);
/* Last generation reported as applied. */
uint64_t fake_bus_applied(const struct bus *b, enum bus_topic topic, enum bus_daemon owner);
