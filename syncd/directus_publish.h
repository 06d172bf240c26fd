/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"

/* What of Directus' topics is on the bus, so that the smallest difference is published. */
struct directus_publish {
	struct bus *bus;
	struct hmap ids[BUS_TOPICS]; /* of the records published; the values are marks */
	bool declared[BUS_TOPICS];
};

void directus_publish_init(struct directus_publish *p, struct bus *bus);
void directus_publish_fini(struct directus_publish *p);
/* The topic holds these from now on (id → cJSON); they are taken out of the map. Replaces it whole
 * where much goes away, since consumers believe that of nothing less (DESIGN 4). 0 or -errno. */
int directus_publish_set(struct directus_publish *p, enum bus_topic topic, struct hmap *records);
