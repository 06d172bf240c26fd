/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus_impl.h"
#include "common/bus_spool.h"

/* Private to common/bus_queue*.c. */

enum bus_queue_entry_state { ENTRY_DELIVERED = 1, ENTRY_ACKED };

/* A message handed to the daemon and not yet off this consumer's list in Redis. */
struct bus_queue_entry {
	enum bus_queue_entry_state state;
};

struct bus_queue_state {
	struct bus *bus;
	enum bus_queue queue;
	char stream[BUS_NAME_MAX], confirms[BUS_NAME_MAX];
	/* producer */
	bool producing;
	struct spool spool;
	unsigned inflight;
	char last_added[48]; /* entry; when it is gone from Redis all is added again */
	char cursor[48];     /* in the stream of confirmations */
	bool reading_confirms, checking;
	/* consumer */
	void (*on_message)(void *arg, const char *entry, const cJSON *record);
	void *arg;
	struct hmap entries; /* entry → struct bus_queue_entry */
	char from[48];	     /* own unacknowledged entries behind this one, then ">" */
	bool grouped, reading;
	/* final storer */
	struct hmap to_confirm; /* uuid → uuid */
};

/* What was sent about a message, until Redis answers. */
struct bus_queue_sent {
	struct bus_queue_state *s;
	char uuid[65];
};

/* The state of a queue, made at first use; NULL without memory. */
struct bus_queue_state *bus_queue_get(struct bus *b, enum bus_queue q);
/* Messages of the channel have it read on. 0 or -errno. */
int bus_queue_listen(struct bus_queue_state *s, const char *channel);
/* Reply of XREAD: [[stream, [[entry, [field, value …]] …]]]; returns the entries or NULL. */
const redisReply *bus_queue_entries(const redisReply *r);
/* The id of an entry and the value of its only field; NULL value when it has another form. */
const char *bus_queue_entry_id(const redisReply *e, const char **value);

/* bus_queue_produce.c */
/* Adds what is not in Redis yet, as much as may be under way. */
void bus_queue_add_more(struct bus_queue_state *s);
/* Is what was added last still there? Else Redis lost its data: everything is added again. */
void bus_queue_check_added(struct bus_queue_state *s);
void bus_queue_read_confirms(struct bus_queue_state *s);

/* bus_queue_consume.c */
void bus_queue_read_more(struct bus_queue_state *s);
void bus_queue_send_ack(struct bus_queue_state *s, const char *id);
