/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/tally.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REPORT_MS 5000

static void report(struct tally *t, const char *device, const struct tally_counts *c)
{
	char bytes[24];
	cJSON *o = cJSON_CreateObject();

	if (!o)
		return;
	snprintf(bytes, sizeof(bytes), "%" PRIu64, c->bytes);
	cJSON_AddStringToObject(o, "device", device);
	cJSON_AddNumberToObject(o, "allowed", (double)c->allowed);
	cJSON_AddNumberToObject(o, "blocked", (double)c->blocked);
	cJSON_AddNumberToObject(o, "unknown", (double)c->unknown);
	cJSON_AddNumberToObject(o, "failed", (double)c->failed);
	cJSON_AddStringToObject(o, "bytes", bytes);
	bus_event_send(t->bus, EVENT_proxyd_count, o);
}

static void report_all(struct tally *t)
{
	hmap_foreach (&t->devices, it)
		report(t, it.key, it.value);
	hmap_clear(&t->devices);
	list_hits_send(&t->lists, t->bus, EVENT_proxyd_count);
}

static void on_tick(struct timer *timer)
{
	report_all(timer->data);
}

int tally_open(struct tally *t, uv_loop_t *loop, struct bus *bus)
{
	t->bus = bus;
	hmap_init(&t->devices, free);
	list_hits_init(&t->lists);
	return timer_init(loop, &t->tick, on_tick, t);
}

void tally_close(struct tally *t)
{
	if (!t->bus)
		return;
	report_all(t);
	timer_close(&t->tick, NULL);
	t->bus = NULL;
}

void tally_fini(struct tally *t)
{
	hmap_fini(&t->devices);
	list_hits_fini(&t->lists);
}

void tally_add_list(struct tally *t, const char *device, const char *list)
{
	list_hits_add(&t->lists, device, list);
}

void tally_add(struct tally *t, const char *device, const struct tally_counts *more)
{
	struct tally_counts *c = hmap_find_str(&t->devices, device);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c || hmap_set_str(&t->devices, device, c)) {
			free(c);
			return;
		}
	}
	c->allowed += more->allowed;
	c->blocked += more->blocked;
	c->unknown += more->unknown;
	c->failed += more->failed;
	c->bytes += more->bytes;
	if (!timer_is_active(&t->tick))
		timer_start(&t->tick, REPORT_MS, 0);
}
