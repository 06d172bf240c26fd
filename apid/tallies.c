/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/tallies.h"
#include "common/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tally_add(struct tally *to, const struct tally *more)
{
	to->dns_allowed += more->dns_allowed;
	to->dns_blocked += more->dns_blocked;
	to->dns_failed += more->dns_failed;
	to->web_allowed += more->web_allowed;
	to->web_blocked += more->web_blocked;
	to->web_unknown += more->web_unknown;
	to->web_failed += more->web_failed;
	to->web_bytes += more->web_bytes;
	to->refused_packets += more->refused_packets;
	to->refused_bytes += more->refused_bytes;
}

static void take(struct tallies *t, const char *device, const struct tally *more)
{
	struct tally *one = hmap_find_str(&t->by_device, device);

	if (!table_find(store_table(t->store, TOPIC_devices), device))
		return;
	tally_add(&t->total, more);
	if (!one) {
		one = calloc(1, sizeof(*one));
		if (one && hmap_set_str(&t->by_device, device, one)) {
			free(one);
			one = NULL;
		}
	}
	if (one)
		tally_add(one, more);
	if (t->on_more)
		t->on_more(t->arg, device, more);
}

static uint64_t count_of(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

static uint64_t bytes_of(const char *text)
{
	return text ? strtoull(text, NULL, 10) : 0;
}

/* Of a device that there is. */
static void take_list(struct tallies *t, const struct rec_verdict_count *r)
{
	if (t->on_list && table_find(store_table(t->store, TOPIC_devices), r->device))
		t->on_list(t->arg, r->device, r->list, count_of(r->blocked));
}

static void on_queries(void *arg, enum bus_event ev, const void *rec)
{
	const struct rec_verdict_count *r = rec;

	(void)ev;
	if (r->list) {
		take_list(arg, r);
		return;
	}
	take(arg, r->device,
		&(struct tally){ .dns_allowed = count_of(r->allowed),
			.dns_blocked = count_of(r->blocked),
			.dns_failed = count_of(r->failed) });
}

static void on_requests(void *arg, enum bus_event ev, const void *rec)
{
	const struct rec_verdict_count *r = rec;

	(void)ev;
	if (r->list) {
		take_list(arg, r);
		return;
	}
	take(arg, r->device,
		&(struct tally){ .web_allowed = count_of(r->allowed),
			.web_blocked = count_of(r->blocked),
			.web_unknown = count_of(r->unknown),
			.web_failed = count_of(r->failed),
			.web_bytes = bytes_of(r->bytes) });
}

static void on_refusals(void *arg, enum bus_event ev, const void *rec)
{
	const struct rec_refusal_count *r = rec;

	(void)ev;
	take(arg, r->device,
		&(struct tally){ .refused_packets = bytes_of(r->packets),
			.refused_bytes = bytes_of(r->bytes) });
}

int tallies_open(struct tallies *t, const struct gateways *gateways, const struct store *store)
{
	int err;

	*t = (struct tallies){ .store = store, .since = clock_wall_ms() };
	hmap_init(&t->by_device, free);
	err = gateways_event_subscribe(gateways, EVENT_dnsd_count, on_queries, t);
	if (!err)
		err = gateways_event_subscribe(gateways, EVENT_proxyd_count, on_requests, t);
	return err ? err : gateways_event_subscribe(gateways, EVENT_fwd_count, on_refusals, t);
}

void tallies_fini(struct tallies *t)
{
	hmap_fini(&t->by_device);
}

void tallies_forget(struct tallies *t, const char *device)
{
	hmap_remove_str(&t->by_device, device);
}
