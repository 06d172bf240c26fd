/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/alarms.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAME_MS = 3600 * 1000 };

static struct alarm *find(
	const struct alarms_of *of, enum bus_daemon daemon, const struct rec_alarm *r, int64_t now)
{
	const char *detail = r->detail ? r->detail : "";

	list_foreach (&of->all->all, it) {
		struct alarm *one = container_of(it, struct alarm, node);

		if (one->daemon == daemon && !strcmp(one->gateway, of->gateway) &&
			now - one->at < SAME_MS && !strcmp(one->what, r->what) &&
			!strcmp(one->detail, detail))
			return one;
	}
	return NULL;
}

static struct alarm *make(
	const struct alarms_of *of, enum bus_daemon daemon, const struct rec_alarm *r, int64_t now)
{
	struct alarms *a = of->all;
	struct alarm *one = calloc(1, sizeof(*one));

	if (!one)
		return NULL;
	one->daemon = daemon;
	snprintf(one->gateway, sizeof(one->gateway), "%s", of->gateway);
	one->first_at = now;
	snprintf(one->what, sizeof(one->what), "%s", r->what);
	snprintf(one->detail, sizeof(one->detail), "%s", r->detail ? r->detail : "");
	list_init(&one->node);
	if (a->n < ALARMS_MAX) {
		a->n++;
	} else {
		struct alarm *last = container_of(a->all.prev, struct alarm, node);

		list_remove(&last->node);
		free(last);
	}
	return one;
}

static void take(const struct alarms_of *of, enum bus_daemon daemon, const struct rec_alarm *r)
{
	int64_t now = clock_wall_ms();
	struct alarms *a = of->all;
	struct alarm *one = find(of, daemon, r, now);
	bool is_new = !one;

	a->raised[daemon]++;
	if (!one)
		one = make(of, daemon, r, now);
	if (!one)
		return;
	one->at = now;
	one->count++;
	list_remove(&one->node);
	list_add_front(&a->all, &one->node);
	if (a->on_alarm)
		a->on_alarm(a->arg, one, is_new);
}

static void on_alarm(void *arg, enum bus_event ev, const void *rec)
{
	switch (ev) {
	case EVENT_wgd_alarm:
		take(arg, BUS_WGD, rec);
		break;
	case EVENT_fwd_alarm:
		take(arg, BUS_FWD, rec);
		break;
	case EVENT_dnsd_alarm:
		take(arg, BUS_DNSD, rec);
		break;
	case EVENT_apid_selftest:
		take(arg, BUS_APID, rec);
		break;
	default:
		take(arg, BUS_SYNCD, rec);
		break;
	}
}

static int listen_to(struct alarms_of *of, struct bus *bus)
{
	static const enum bus_event events[] = { EVENT_wgd_alarm, EVENT_fwd_alarm, EVENT_dnsd_alarm,
		EVENT_syncd_alarm, EVENT_apid_selftest };
	int err = 0;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]) && !err; i++) {
		bool is_everybodys =
			events[i] == EVENT_syncd_alarm || events[i] == EVENT_apid_selftest;

		if (!is_everybodys || !*of->gateway)
			err = bus_event_subscribe(bus, events[i], on_alarm, of);
	}
	return err;
}

int alarms_open(struct alarms *a, const struct gateways *gateways)
{
	int err = 0;

	*a = (struct alarms){ 0 };
	list_init(&a->all);
	for (size_t i = 0; i < gateways->n && !err; i++) {
		a->of[i] = (struct alarms_of){ a, gateways->v[i].name };
		err = listen_to(&a->of[i], gateways->v[i].bus);
	}
	return err;
}

void alarms_fini(struct alarms *a)
{
	if (!a->all.next)
		return; /* it was never opened */
	list_foreach_safe (&a->all, it)
		free(container_of(it, struct alarm, node));
	list_init(&a->all);
}
