/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include "common/bus_spool.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_MAX   "10000"
#define CONFIRM_MAX  "20000"
#define INFLIGHT     64
#define READ_COUNT   "32"
#define UNACKED_MAX  256
#define CONFIRMS_MAX 10000

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

static void bus_queue_add_more(struct bus_queue_state *s);
static void bus_queue_read_more(struct bus_queue_state *s);

static struct bus_queue_state *bus_queue_get(struct bus *b, enum bus_queue q)
{
	struct bus_queue_state *s = b->queues[q];
	char dir[512];
	int err;

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->bus = b;
	s->queue = q;
	snprintf(s->stream, sizeof(s->stream), "culvert:queue:%s", bus_queues[q].name);
	snprintf(s->confirms, sizeof(s->confirms), "culvert:confirm:%s", bus_queues[q].name);
	strcpy(s->cursor, "0");
	strcpy(s->from, "0");
	hmap_init(&s->entries, free);
	hmap_init(&s->to_confirm, free);
	b->queues[q] = s;
	s->producing = bus_queues[q].producers & (1u << b->self);
	if (s->producing) {
		snprintf(dir, sizeof(dir), "%s/queue-%s", b->state_dir, bus_queues[q].name);
		err = spool_open(&s->spool, dir);
		if (err)
			log_error("bus: spool unusable path=%s error=%s", dir, strerror(-err));
	}
	return s;
}

/* ---- producer ---- */

struct bus_queue_sent {
	struct bus_queue_state *s;
	char uuid[65];
};

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

static void bus_queue_add_more(struct bus_queue_state *s)
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

/* Reply of XREAD: [[stream, [[entry, [field, value …]] …]]]; returns the entries or NULL. */
static const redisReply *bus_queue_entries(const redisReply *r)
{
	const redisReply *one;

	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 1)
		return NULL;
	one = r->element[0];
	if (one->type != REDIS_REPLY_ARRAY || one->elements != 2 ||
		one->element[1]->type != REDIS_REPLY_ARRAY)
		return NULL;
	return one->element[1];
}

/* The id of an entry and the value of its only field; NULL value when it has another form. */
static const char *bus_queue_entry_id(const redisReply *e, const char **value)
{
	*value = NULL;
	if (e->type != REDIS_REPLY_ARRAY || e->elements != 2 ||
		e->element[0]->type != REDIS_REPLY_STRING || e->element[0]->len >= 48)
		return NULL;
	if (e->element[1]->type == REDIS_REPLY_ARRAY && e->element[1]->elements == 2 &&
		e->element[1]->element[1]->type == REDIS_REPLY_STRING)
		*value = e->element[1]->element[1]->str;
	return e->element[0]->str;
}

static void bus_queue_read_confirms(struct bus_queue_state *s);

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

static void bus_queue_read_confirms(struct bus_queue_state *s)
{
	if (s->reading_confirms || !s->bus->cmd.up || s->bus->closing)
		return;
	s->reading_confirms = !bus_conn_send(&s->bus->cmd, on_confirms, s, "XREAD", "COUNT", "256",
		"STREAMS", s->confirms, s->cursor, NULL);
}

/* Is what was added last still there? Else Redis lost its data: everything is added again. */
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

static void bus_queue_check_added(struct bus_queue_state *s)
{
	if (!s->last_added[0] || !s->spool.messages.count)
		bus_queue_add_more(s);
	else if (!s->checking)
		s->checking = !bus_conn_send(&s->bus->cmd, on_checked, s, "XRANGE", s->stream,
			s->last_added, s->last_added, NULL);
}

/* ---- consumer ---- */

static void bus_queue_send_ack(struct bus_queue_state *s, const char *id)
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

static void bus_queue_read_more(struct bus_queue_state *s)
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

static void on_kick(void *arg, const char *channel, const char *text, size_t len)
{
	struct bus_queue_state *s = arg;

	(void)text;
	(void)len;
	if (!strcmp(channel, s->confirms))
		bus_queue_read_confirms(s);
	else
		bus_queue_read_more(s);
}

static int bus_queue_listen(struct bus_queue_state *s, const char *channel)
{
	struct bus_channel ch = { .on_message = on_kick, .arg = s };
	int err = bus_channel_add(s->bus, channel, &ch);

	return err == -EEXIST ? 0 : err;
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

/* ---- final storer ---- */

static void on_confirmed(void *arg, const redisReply *r)
{
	struct bus_queue_sent *a = arg;

	if (r && r->type == REDIS_REPLY_STRING)
		hmap_remove_str(&a->s->to_confirm, a->uuid);
	free(a);
}

static void send_confirm(struct bus_queue_state *s, const char *uuid)
{
	struct bus_queue_sent *a = malloc(sizeof(*a));

	if (!a)
		return;
	a->s = s;
	snprintf(a->uuid, sizeof(a->uuid), "%s", uuid);
	if (bus_conn_send(&s->bus->cmd, on_confirmed, a, "XADD", s->confirms, "MAXLEN", "~",
		    CONFIRM_MAX, "*", "uuid", uuid, NULL))
		free(a);
	bus_conn_send(&s->bus->cmd, NULL, NULL, "PUBLISH", s->confirms, "confirmed", NULL);
}

void bus_queue_confirm(struct bus *b, enum bus_queue q, const char *uuid)
{
	struct bus_queue_state *s = b->closing ? NULL : bus_queue_get(b, q);
	char *copy = s && strlen(uuid) <= 64 ? strdup(uuid) : NULL;

	if (!copy || s->to_confirm.count >= CONFIRMS_MAX ||
		hmap_set_str(&s->to_confirm, uuid, copy)) {
		free(copy);
		return; /* the producer adds it again, it is confirmed then */
	}
	send_confirm(s, uuid);
}

/* ---- life ---- */

void bus_queue_open(struct bus *b)
{
	for (int q = 0; q < BUS_QUEUES && !b->conf->bus_user; q++) {
		struct bus_queue_state *s;

		if (!(bus_queues[q].producers & (1u << b->self)))
			continue;
		s = bus_queue_get(b, (enum bus_queue)q);
		if (s)
			bus_queue_listen(s, s->confirms);
	}
}

void bus_queue_on_beat(struct bus *b)
{
	for (int q = 0; q < BUS_QUEUES; q++) {
		struct bus_queue_state *s = b->queues[q];

		if (!s || !b->cmd.up)
			continue;
		if (s->producing) {
			bus_queue_check_added(s);
			bus_queue_read_confirms(s);
		}
		bus_queue_read_more(s);
	}
}

void bus_queue_on_up(struct bus *b)
{
	for (int q = 0; q < BUS_QUEUES; q++) {
		struct bus_queue_state *s = b->queues[q];

		if (!s)
			continue;
		strcpy(s->from, "0"); /* what was read but not received is pending */
		hmap_foreach (&s->entries, it) {
			if (((struct bus_queue_entry *)it.value)->state == ENTRY_ACKED)
				bus_queue_send_ack(s, it.key);
		}
		hmap_foreach (&s->to_confirm, it)
			send_confirm(s, it.value);
	}
	bus_queue_on_beat(b);
}

void bus_queue_fini(struct bus *b)
{
	for (int q = 0; q < BUS_QUEUES; q++) {
		struct bus_queue_state *s = b->queues[q];

		if (!s)
			continue;
		if (s->producing)
			spool_close(&s->spool);
		hmap_fini(&s->entries);
		hmap_fini(&s->to_confirm);
		free(s);
	}
}
