/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_MS 5000

static void report(struct clients *cs, struct client *c)
{
	struct rec_verdict_count rec = {
		.device = c->id,
		.allowed = c->allowed,
		.blocked = c->blocked,
		.failed = c->failed,
	};

	rec_mark(&rec, verdict_count, device);
	rec_mark(&rec, verdict_count, allowed);
	rec_mark(&rec, verdict_count, blocked);
	rec_mark(&rec, verdict_count, failed);
	cJSON *json = codec_encode(REC_verdict_count, &rec);
	if (json)
		bus_event_send(cs->bus, EVENT_dnsd_count, json);
	c->allowed = c->blocked = c->failed = 0;
}

static void report_all(struct clients *cs)
{
	while (!list_is_empty(&cs->dirty)) {
		struct client *c = container_of(cs->dirty.next, struct client, dirty);
		list_remove(&c->dirty);
		report(cs, c);
		client_unref(c);
	}
	list_hits_send(&cs->lists, cs->bus, EVENT_dnsd_count);
}

static void on_report(struct timer *t)
{
	report_all(t->data);
}

int clients_open(struct clients *cs, uv_loop_t *loop, struct bus *bus)
{
	cs->bus = bus;
	list_init(&cs->dirty);
	list_hits_init(&cs->lists);
	int rc = timer_init(loop, &cs->tick, on_report, cs);
	if (!rc)
		timer_start(&cs->tick, REPORT_MS, REPORT_MS);
	return rc;
}

void clients_close(struct clients *cs)
{
	report_all(cs);
	timer_close(&cs->tick, NULL);
	list_hits_fini(&cs->lists);
}

struct client *client_of(struct device_view *v)
{
	struct client *c = v->user;

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->refs = 1;
	list_init(&c->dirty);
	snprintf(c->id, sizeof(c->id), "%s", v->id);
	v->user = c;
	return c;
}

struct client *client_ref(struct client *c)
{
	c->refs++;
	return c;
}

void client_unref(struct client *c)
{
	if (c && !--c->refs)
		free(c);
}

void client_count(struct clients *cs, struct client *c, enum count_of what)
{
	uint32_t *counters[] = {
		[COUNT_ALLOWED] = &c->allowed,
		[COUNT_BLOCKED] = &c->blocked,
		[COUNT_FAILED] = &c->failed,
	};

	++*counters[what];
	if (list_is_empty(&c->dirty))
		list_add(&cs->dirty, &client_ref(c)->dirty);
}
