/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_queue_impl.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_COUNT  "32"
#define UNACKED_MAX 256

void bus_queue_send_ack(struct bus_queue_state *s, const char *id)
{
	if (!bus_conn_send(&s->bus->cmd, NULL, NULL, "XACK", s->stream,
		    bus_daemon_name(s->bus->self), id, NULL))
		hmap_remove_str(&s->entries, id);
}

void bus_queue_ack(struct bus *b, enum bus_queue q, const char *id)
{
	struct bus_queue_state *s = b->queues[q];
	struct bus_queue_entry *e = s ? hmap_find_str(&s->entries, id) : NULL;
	char copy[48];

	if (!e || b->closing)
		return;
	snprintf(copy, sizeof(copy), "%s", id);
	e->state = ENTRY_ACKED;
	bus_queue_send_ack(s, copy);
	bus_queue_read_more(s);
}

static void take_entry(struct bus_queue_state *s, const redisReply *reply)
{
	const char *value, *id = bus_queue_entry_id(reply, &value);
	struct bus_queue_entry *e;
	cJSON *record;

	if (!id || hmap_find_str(&s->entries, id))
		return;
	e = calloc(1, sizeof(*e));
	if (!e || hmap_set_str(&s->entries, id, e)) {
		free(e);
		return;
	}
	e->state = ENTRY_DELIVERED;
	record = value ? json_parse(value, strlen(value)) : NULL;
	if (record) {
		s->on_message(s->arg, id, record);
	} else {
		s->bus->counters.bad_messages++;
		e->state = ENTRY_ACKED;
		bus_queue_send_ack(s, id); /* trimmed from the stream, or no message at all */
	}
	cJSON_Delete(record);
}

static void on_entries(void *arg, const redisReply *r)
{
	struct bus_queue_state *s = arg;
	const redisReply *list = bus_queue_entries(r);
	bool pending = strcmp(s->from, ">");

	s->reading = false;
	if (r && r->type == REDIS_REPLY_ERROR) {
		s->grouped = false;
		strcpy(s->from, "0");
		if (!strncmp(r->str, "NOGROUP", 7)) /* it went with Redis's data */
			bus_queue_read_more(s);
		return; /* else the next beat tries again */
	}
	for (size_t i = 0; list && i < list->elements && !s->bus->closing; i++) {
		const char *value, *id = bus_queue_entry_id(list->element[i], &value);

		if (pending && id)
			snprintf(s->from, sizeof(s->from), "%s", id);
		take_entry(s, list->element[i]);
	}
	if (r && pending && (!list || !list->elements))
		strcpy(s->from, ">");
	if (r && (pending || (list && list->elements)))
		bus_queue_read_more(s);
}

static void on_group(void *arg, const redisReply *r)
{
	struct bus_queue_state *s = arg;

	s->reading = false;
	if (!r)
		return;
	s->grouped = r->type == REDIS_REPLY_STATUS || !strncmp(r->str, "BUSYGROUP", 9);
	if (s->grouped)
		bus_queue_read_more(s);
	else
		log_error("bus: queue unreadable name=%s error=%s", s->stream, r->str);
}

void bus_queue_read_more(struct bus_queue_state *s)
{
	const char *group = bus_daemon_name(s->bus->self);

	if (!s->on_message || s->reading || !s->bus->cmd.up || s->bus->closing ||
		s->entries.count >= UNACKED_MAX)
		return;
	if (!s->grouped)
		s->reading = !bus_conn_send(&s->bus->cmd, on_group, s, "XGROUP", "CREATE",
			s->stream, group, "0", "MKSTREAM", NULL);
	else
		s->reading = !bus_conn_send(&s->bus->cmd, on_entries, s, "XREADGROUP", "GROUP",
			group, s->bus->instance, "COUNT", READ_COUNT, "STREAMS", s->stream, s->from,
			NULL);
}

int bus_queue_consume(struct bus *b, enum bus_queue q,
	void (*on_message)(void *arg, const char *entry, const cJSON *record), void *arg)
{
	struct bus_queue_state *s = b->closing ? NULL : bus_queue_get(b, q);

	assert(bus_queues[q].consumers & (1u << b->self));
	if (!s)
		return b->closing ? -ESHUTDOWN : -ENOMEM;
	s->on_message = on_message;
	s->arg = arg;
	bus_queue_read_more(s);
	return bus_queue_listen(s, s->stream);
}
