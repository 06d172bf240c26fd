/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"

/* The topics that apid keeps in MariaDB and publishes: all it owns but `watch`, which is not kept.
 */
bool topic_is_kept(enum bus_topic topic);
/* A kept topic by its name; BUS_TOPICS when there is none. */
enum bus_topic topic_find(const char *name);
const char *topic_name(enum bus_topic topic);
enum rec_type topic_record(enum bus_topic topic);
