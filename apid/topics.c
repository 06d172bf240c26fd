/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/topics.h"

#include <string.h>

static const struct {
	const char *name;
	enum rec_type record;
	unsigned owners;
} topics[BUS_TOPICS] = {
/* clang-format off */
#define TOPIC(topic, rec, owner_set, readers, flags) \
	[TOPIC_##topic] = { .name = #topic, .record = REC_##rec, .owners = owner_set },
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
	/* clang-format on */
};

bool topic_is_kept(enum bus_topic topic)
{
	return topic != TOPIC_watch && (topics[topic].owners & D_APID);
}

enum bus_topic topic_find(const char *name)
{
	for (int i = 0; i < BUS_TOPICS; i++) {
		if (topic_is_kept((enum bus_topic)i) && !strcmp(topics[i].name, name))
			return (enum bus_topic)i;
	}
	return BUS_TOPICS;
}

const char *topic_name(enum bus_topic topic)
{
	return topics[topic].name;
}

enum rec_type topic_record(enum bus_topic topic)
{
	return topics[topic].record;
}
