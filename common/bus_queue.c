/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_queue_impl.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_MAX  "20000"
#define CONFIRMS_MAX 10000

struct bus_queue_state *bus_queue_get(struct bus *b, enum bus_queue q)
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

const redisReply *bus_queue_entries(const redisReply *r)
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

const char *bus_queue_entry_id(const redisReply *e, const char **value)
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

int bus_queue_listen(struct bus_queue_state *s, const char *channel)
{
	struct bus_channel ch = { .on_message = on_kick, .arg = s };
	int err = bus_channel_add(s->bus, channel, &ch);

	return err == -EEXIST ? 0 : err;
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
