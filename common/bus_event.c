/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MS      250
#define BATCH_BYTES   65536
#define BATCH_RECORDS 512
#define MESSAGE_MAX   (256u << 10)
#define BACKLOG_MAX   (4u << 20)
#define UNHEARD_MS    1000 /* readers connect anew, too */

static void channel_of(const struct bus *b, enum bus_event ev, char out[static BUS_NAME_MAX])
{
	snprintf(out, BUS_NAME_MAX, "culvert:event:%s:%s", bus_name(b, bus_events[ev].daemon),
		bus_events[ev].kind);
}

static void drop(struct bus *b, struct bus_events_out *o, size_t n)
{
	o->dropped += n;
	b->counters.events_dropped += n;
}

/* ---- alarms that waited ---- */

struct told {
	struct bus *bus;
	enum bus_event event;
	cJSON *batch;
	size_t bytes, count;
};

static void free_told(struct told *t)
{
	if (t)
		cJSON_Delete(t->batch);
	free(t);
}

/* Before what has come since. */
static void put_back(struct bus *b, struct told *t)
{
	struct bus_events_out *o = &b->events.out[t->event];
	cJSON *one;

	while (o->batch && (one = cJSON_DetachItemFromArray(o->batch, 0)))
		cJSON_AddItemToArray(t->batch, one);
	cJSON_Delete(o->batch);
	o->batch = t->batch;
	t->batch = NULL;
	o->bytes += t->bytes;
	o->count += t->count;
	o->waits = true;
	if (!timer_is_active(&b->events.flush))
		timer_start(&b->events.flush, UNHEARD_MS, 0);
}

/* By how many it was heard. What a lost connection took is told again, and may come twice. */
static void on_told(void *arg, const redisReply *r)
{
	struct told *t = arg;
	struct bus *b = t->bus;
	struct bus_events_out *o = &b->events.out[t->event];
	bool is_unheard = !r || (r->type == REDIS_REPLY_INTEGER && r->integer == 0);
	bool fits = o->count + t->count <= BATCH_RECORDS && o->bytes + t->bytes <= BATCH_BYTES;

	if (!b->closing && is_unheard && fits)
		put_back(b, t);
	else if (is_unheard || r->type == REDIS_REPLY_ERROR)
		drop(b, o, t->count);
	free_told(t);
}

static struct told *new_told(struct bus *b, enum bus_event ev)
{
	const struct bus_events_out *o = &b->events.out[ev];
	struct told *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct told){ b, ev, cJSON_Duplicate(o->batch, true), o->bytes, o->count };
	if (t->batch)
		return t;
	free(t);
	return NULL;
}

/* ---- sending ---- */

static void flush_one(struct bus *b, enum bus_event ev)
{
	struct bus_events_out *o = &b->events.out[ev];
	cJSON *message = cJSON_CreateObject();
	char channel[BUS_NAME_MAX], *text = NULL;
	struct told *t = NULL;
	bool sent = false, whole;

	channel_of(b, ev, channel);
	if (message && b->cmd.up && bus_conn_backlog(&b->cmd) < BACKLOG_MAX) {
		if (o->waits)
			t = new_told(b, ev);
		whole = json_add(message, "batch", o->batch) &&
			cJSON_AddNumberToObject(message, "v", 1) &&
			(!o->dropped ||
				cJSON_AddNumberToObject(message, "dropped", (double)o->dropped));
		o->batch = NULL;
		text = whole ? json_format(message) : NULL;
		sent = text && !bus_conn_send(&b->cmd, t ? on_told : NULL, t, "PUBLISH", channel,
				       text, NULL);
	}
	if (sent)
		o->dropped = 0;
	else if (!t)
		drop(b, o, o->count);
	o->waits = false;
	free(text);
	cJSON_Delete(message);
	cJSON_Delete(o->batch);
	o->batch = NULL;
	o->bytes = o->count = 0;
	if (t && !sent) {
		put_back(b, t);
		free_told(t);
	}
}

static void on_flush(struct timer *t)
{
	struct bus *b = t->data;

	for (int ev = 0; ev < BUS_EVENTS; ev++) {
		struct bus_events_out *o = &b->events.out[ev];

		if (!b->cmd.up && o->batch && bus_events[ev].record == REC_alarm)
			o->waits = true;
		else if (o->batch)
			flush_one(b, (enum bus_event)ev);
	}
}

void bus_event_on_up(struct bus *b)
{
	if (!timer_is_active(&b->events.flush))
		timer_start(&b->events.flush, BATCH_MS, 0);
}

void bus_event_send(struct bus *b, enum bus_event ev, cJSON *record)
{
	struct bus_events_out *o = &b->events.out[ev];
	char *text;
	size_t len;

	assert(bus_events[ev].daemon == b->self);
	text = b->closing ? NULL : json_format(record);
	len = text ? strlen(text) : 0;
	free(text);
	if (!len || len > BATCH_BYTES) {
		drop(b, o, 1);
		cJSON_Delete(record);
		return;
	}
	if (o->batch && (o->bytes + len > BATCH_BYTES || o->count >= BATCH_RECORDS))
		flush_one(b, ev);
	if (!o->batch)
		o->batch = cJSON_CreateArray();
	if (!o->batch || !cJSON_AddItemToArray(o->batch, record)) {
		drop(b, o, 1);
		cJSON_Delete(record);
		return;
	}
	o->bytes += len + 1;
	o->count++;
	if (!timer_is_active(&b->events.flush))
		timer_start(&b->events.flush, BATCH_MS, 0);
}

/* ---- receiving ---- */

static void deliver(struct event_in *in, const cJSON *record)
{
	enum rec_type type = bus_events[in->event].record;
	void *rec = calloc(1, rec_size(type));
	char why[160];

	if (!rec)
		return;
	if (codec_decode(type, CODEC_LENIENT, record, rec, why, sizeof(why))) {
		in->bus->counters.events_bad++;
		log_debug("bus: event unusable kind=%s why=%s", bus_events[in->event].kind, why);
	} else {
		in->bus->counters.ignored_fields += ((struct rec_head *)rec)->ignored;
		in->on_event(in->arg, in->event, rec);
		rec_fini(type, rec);
	}
	free(rec);
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct event_in *in = arg;
	cJSON *message = len <= MESSAGE_MAX ? json_parse(text, len) : NULL;
	const cJSON *batch = json_get(message, "batch"), *record;

	(void)channel;
	if (!cJSON_IsArray(batch))
		in->bus->counters.bad_messages++;
	cJSON_ArrayForEach (record, batch) {
		if (in->bus->closing)
			break;
		deliver(in, record);
	}
	cJSON_Delete(message);
}

int bus_event_subscribe(struct bus *b, enum bus_event ev,
	void (*on_event)(void *arg, enum bus_event ev, const void *rec), void *arg)
{
	struct event_in *in = &b->events.in[ev];
	struct bus_channel ch = { .on_message = on_message, .arg = in };
	char channel[BUS_NAME_MAX];

	assert(bus_events[ev].readers & (1u << b->self));
	channel_of(b, ev, channel);
	*in = (struct event_in){ .bus = b, .event = ev, .on_event = on_event, .arg = arg };
	return bus_channel_add(b, channel, &ch);
}

int bus_event_init(struct bus *b)
{
	return bus_timer_init(b, &b->events.flush, on_flush);
}

void bus_event_fini(struct bus *b)
{
	for (int ev = 0; ev < BUS_EVENTS; ev++)
		cJSON_Delete(b->events.out[ev].batch);
}
