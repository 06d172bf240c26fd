/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_queue_impl.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_MAX "10000"
#define INFLIGHT   64

static void on_added(void *arg, const redisReply *r)
{
	struct bus_queue_sent *a = arg;
	struct bus_queue_state *s = a->s;
	struct spooled *m = hmap_find_str(&s->spool.messages, a->uuid);
	bool ok = r && r->type == REDIS_REPLY_STRING;

	s->inflight--;
	if (m) {
		m->busy = false;
		m->added = ok;
	}
	if (ok) {
		snprintf(s->last_added, sizeof(s->last_added), "%s", r->str);
		bus_queue_add_more(s);
	} else if (r && r->type == REDIS_REPLY_ERROR) {
		log_error("bus: queue refuses name=%s error=%s", s->stream, r->str);
	}
	free(a);
}

static bool add_one(struct bus_queue_state *s, struct spooled *m)
{
	struct bus_queue_sent *a = malloc(sizeof(*a));

	if (!a)
		return false;
	a->s = s;
	snprintf(a->uuid, sizeof(a->uuid), "%s", m->uuid);
	if (bus_conn_send(&s->bus->cmd, on_added, a, "XADD", s->stream, "MAXLEN", "~", STREAM_MAX,
		    "*", "record", m->text, NULL)) {
		free(a);
		return false;
	}
	m->busy = true;
	s->inflight++;
	bus_conn_send(&s->bus->cmd, NULL, NULL, "PUBLISH", s->stream, "added", NULL);
	return true;
}

void bus_queue_add_more(struct bus_queue_state *s)
{
	if (!s->bus->cmd.up || s->bus->closing)
		return;
	hmap_foreach (&s->spool.messages, it) {
		struct spooled *m = it.value;

		if (s->inflight >= INFLIGHT)
			return;
		if (!m->added && !m->busy && !add_one(s, m))
			return;
	}
}

int bus_queue_add(struct bus *b, enum bus_queue q, cJSON *record)
{
	struct bus_queue_state *s = b->closing ? NULL : bus_queue_get(b, q);
	const char *uuid = json_text(record, "uuid");
	char *text = s && uuid ? json_format(record) : NULL;
	int err = -EINVAL;

	assert(bus_queues[q].producers & (1u << b->self));
	if (b->closing)
		err = -ESHUTDOWN;
	else if (!s || (uuid && !text))
		err = -ENOMEM;
	else if (uuid)
		err = spool_add(&s->spool, uuid, text);
	free(text);
	cJSON_Delete(record);
	if (!err)
		bus_queue_add_more(s);
	return err;
}

void bus_queue_each(struct bus *b, enum bus_queue q,
	void (*on_message)(void *arg, const cJSON *record), void *arg)
{
	struct bus_queue_state *s = b->closing ? NULL : bus_queue_get(b, q);

	if (!s)
		return;
	hmap_foreach (&s->spool.messages, it) {
		const struct spooled *m = it.value;
		cJSON *record = json_parse(m->text, m->len);
		if (record)
			on_message(arg, record);
		cJSON_Delete(record);
	}
}

size_t bus_queue_spooled(const struct bus *b, enum bus_queue q)
{
	return b->queues[q] && b->queues[q]->producing ? b->queues[q]->spool.messages.count : 0;
}

static void on_confirms(void *arg, const redisReply *r)
{
	struct bus_queue_state *s = arg;
	const redisReply *list = bus_queue_entries(r);

	s->reading_confirms = false;
	for (size_t i = 0; list && i < list->elements; i++) {
		const char *uuid, *id = bus_queue_entry_id(list->element[i], &uuid);

		if (id)
			snprintf(s->cursor, sizeof(s->cursor), "%s", id);
		if (uuid)
			spool_remove(&s->spool, uuid);
	}
	if (list && list->elements)
		bus_queue_read_confirms(s);
}

void bus_queue_read_confirms(struct bus_queue_state *s)
{
	if (s->reading_confirms || !s->bus->cmd.up || s->bus->closing)
		return;
	s->reading_confirms = !bus_conn_send(&s->bus->cmd, on_confirms, s, "XREAD", "COUNT", "256",
		"STREAMS", s->confirms, s->cursor, NULL);
}

static void on_checked(void *arg, const redisReply *r)
{
	struct bus_queue_state *s = arg;

	s->checking = false;
	if (!r || r->type != REDIS_REPLY_ARRAY)
		return;
	if (r->elements == 0) {
		hmap_foreach (&s->spool.messages, it)
			((struct spooled *)it.value)->added = false;
		s->last_added[0] = '\0';
		strcpy(s->cursor, "0");
	}
	bus_queue_add_more(s);
}

void bus_queue_check_added(struct bus_queue_state *s)
{
	if (!s->last_added[0] || !s->spool.messages.count)
		bus_queue_add_more(s);
	else if (!s->checking)
		s->checking = !bus_conn_send(&s->bus->cmd, on_checked, s, "XRANGE", s->stream,
			s->last_added, s->last_added, NULL);
}
