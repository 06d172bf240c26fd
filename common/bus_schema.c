/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include <string.h>

#define D_OF_GATEWAY (D_WGD | D_FWD | D_DNSD | D_PROXYD)

static const char *const daemon_names[BUS_DAEMONS] = {
	[BUS_WGD] = "wgd",
	[BUS_FWD] = "fwd",
	[BUS_DNSD] = "dnsd",
	[BUS_PROXYD] = "proxyd",
	[BUS_APID] = "apid",
	[BUS_SYNCD] = "syncd",
};

/* The schema writes daemons in lower case where they name an event or request. */
enum {
	DAEMON_wgd = BUS_WGD,
	DAEMON_fwd = BUS_FWD,
	DAEMON_dnsd = BUS_DNSD,
	DAEMON_proxyd = BUS_PROXYD,
	DAEMON_apid = BUS_APID,
	DAEMON_syncd = BUS_SYNCD
};

/* clang-format off */
#define TOPIC(name, record, owners, readers, flags) { #name, REC_##record, owners, readers, flags },
const struct topic_info bus_topics[BUS_TOPICS] = {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
#define EVENT(daemon, kind, record, readers) { (enum bus_daemon)DAEMON_##daemon, #kind, REC_##record, readers },
const struct event_info bus_events[BUS_EVENTS] = {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
#define REQUEST(daemon, op, record, callers) { (enum bus_daemon)DAEMON_##daemon, #op, REC_##record, callers },
const struct op_info bus_ops[BUS_OPS] = {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
#define QUEUE(name, producers, consumers) { #name, producers, consumers },
const struct queue_info bus_queues[BUS_QUEUES] = {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
#define BLOB(writers, readers) const unsigned bus_blob_writers = (writers), bus_blob_readers = (readers);
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
/* clang-format on */

const char *bus_daemon_name(enum bus_daemon d)
{
	return daemon_names[d];
}

bool bus_daemon_is_of_gateway(enum bus_daemon d)
{
	return D_OF_GATEWAY & (1u << d);
}

int bus_daemon_find(const char *name)
{
	for (int d = 0; d < BUS_DAEMONS; d++) {
		if (!strcmp(daemon_names[d], name))
			return d;
	}
	return -1;
}

const char *bus_topic_name(enum bus_topic topic)
{
	return bus_topics[topic].name;
}

enum rec_type bus_topic_record(enum bus_topic topic)
{
	return bus_topics[topic].record;
}

bool bus_topic_owner_parse(const char *text, enum bus_topic *topic, enum bus_daemon *owner)
{
	const char *colon = strchr(text, ':');
	int d = colon ? bus_daemon_find(colon + 1) : -1;

	if (d < 0)
		return false;
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (strlen(bus_topics[t].name) == (size_t)(colon - text) &&
			!strncmp(bus_topics[t].name, text, (size_t)(colon - text))) {
			*topic = (enum bus_topic)t;
			*owner = (enum bus_daemon)d;
			return true;
		}
	}
	return false;
}
