/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "proxyd/flow.h"
#include "proxyd/path_packet.h"
#include "proxyd/path_quic.h"
#include "proxyd/path_stream.h"
#include "proxyd/sni.h"

/*
 * The connections that are judged in their path, and those that passed. A connection is read for as
 * long as packets of it come, and PATH_READ_MS more; one that was allowed is remembered until the
 * kernel has no such connection any more, so that a change of policy can end it.
 */
enum {
	PATH_READ_MS = 3000,
	PATH_HELD_MAX = 8,
	PATH_HELD_DEVICE_MAX = 256, /* of a device, and of few others that share its counter */
	PATH_HELD_ALL_MAX = 4096,
	PATH_READINGS_MAX = 65536,
	PATH_UNDECIDED_MAX = 1024, /* of a device, and of few others that share its counter */
	PATH_COUNTERS = 4096,
	PATH_BYTES_MAX = 64 << 20, /* of what is kept of clients' bytes, all together */
};

/* Without holes, for it is hashed. */
struct path_key {
	uint8_t device[16], site[16]; /* addresses, the first 4 bytes for IPv4, the rest zero */
	uint16_t device_port, site_port;
	uint8_t family, protocol;
};

struct path_flow;

/* What is kept while it is read. */
struct path_reading {
	struct list node; /* in path_flows.readings; the longest silent first */
	struct path_flow *of;
	uint64_t used_ms;	/* loop time */
	struct path_stream tcp; /* of TCP */
	struct path_quic *quic; /* of UDP; owned */
	/* While dnsd is asked for the name, or a hello of QUIC is not whole: packets that the
	 * kernel holds. */
	struct names_query *asking;
	uint32_t held[PATH_HELD_MAX];
	unsigned held_count;
};

struct path_flow {
	struct path_flow *next; /* of the same hash */
	struct flow live;	/* once it was allowed */
	struct path_key key;
	uint8_t generation;
	bool is_undecided; /* and counted as such */
	bool is_allowed, is_denied;
	bool has_ech, has_dot;
	uint64_t began_ms; /* loop time */
	uint64_t leads_to; /* stand_in_tag of the host */
	char *host;	   /* of the hello; NULL = none yet */
	struct path_reading *reading;
	struct path_reader *reader;
};

struct path_flows {
	struct path_flow **buckets;
	size_t mask, count, max;
	uint8_t secret[16];
	struct list readings;
	size_t reading_count;
	size_t bytes;			   /* that readings keep of what clients said */
	uint16_t undecided[PATH_COUNTERS]; /* by a hash of the device */
	uint16_t held[PATH_COUNTERS];	   /* packets, likewise */
	size_t held_count;
};

/* max: flows. 0 or -ENOMEM. */
int path_flows_init(struct path_flows *fs, size_t max);
/* All were removed. */
void path_flows_fini(struct path_flows *fs);
/* Of a packet from the device (up), or to it. */
struct path_key path_key_of(const struct path_packet *k, bool up);
struct path_flow *path_flows_find(const struct path_flows *fs, const struct path_key *key);
/* New and undecided, with a reading; the key is not there yet. NULL without memory or room, or when
 * the device has too many of them. */
struct path_flow *path_flows_add(
	struct path_flows *fs, const struct path_key *key, uint64_t now_ms);
/* Of one that was read before, a new reading. 0 or -ENOMEM. */
int path_reading_begin(struct path_flows *fs, struct path_flow *f, uint64_t now_ms);
/* Packets of it came just now. */
void path_reading_touch(struct path_flows *fs, struct path_reading *r, uint64_t now_ms);
/* It is read no more. It holds no packets and asks nothing. */
void path_reading_end(struct path_flows *fs, struct path_flow *f);
/* Keeps the id of a packet that the kernel holds; false: there are too many. */
bool path_flows_hold(struct path_flows *fs, struct path_flow *f, uint32_t id);
/* Takes them out, PATH_HELD_MAX at most: how many. */
unsigned path_flows_take_held(struct path_flows *fs, struct path_flow *f, uint32_t *ids);
/* It is decided. Idempotent. */
void path_flows_decide(struct path_flows *fs, struct path_flow *f);
/* Out of the table, and freed. */
void path_flows_remove(struct path_flows *fs, struct path_flow *f);
/* Each of them; it may be removed. */
void path_flows_each(
	struct path_flows *fs, void (*on_each)(void *arg, struct path_flow *f), void *arg);
