/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/statuses.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UP_MS = 15000, KEPT_MS = 24 * 3600 * 1000 };

static void free_report(void *value)
{
	struct report *r = value;

	cJSON_Delete(r->json);
	free(r);
}

/* Instances that are long gone make room. */
static void sweep(struct statuses *s, int64_t now)
{
	const char *old = NULL;

	do {
		if (old)
			hmap_remove_str(&s->reports, old);
		old = NULL;
		hmap_foreach (&s->reports, it) {
			const struct report *r = it.value;

			if (now - r->at > KEPT_MS)
				old = it.key;
		}
	} while (old);
}

static void on_status(void *arg, const struct bus_status *status)
{
	struct statuses *s = arg;
	struct report *r;
	char key[64];

	snprintf(key, sizeof(key), "%s@%s:%s", bus_daemon_name(status->daemon), status->gateway,
		status->instance);
	r = hmap_find_str(&s->reports, key);
	if (!r) {
		sweep(s, clock_wall_ms());
		r = s->reports.count < REPORTS_MAX ? calloc(1, sizeof(*r)) : NULL;
		if (r && hmap_set_str(&s->reports, key, r)) {
			free(r);
			r = NULL;
		}
	}
	if (!r)
		return;
	cJSON_Delete(r->json);
	r->daemon = status->daemon;
	memcpy(r->gateway, status->gateway, sizeof(r->gateway));
	memcpy(r->instance, status->instance, sizeof(r->instance));
	memcpy(r->version, status->version, sizeof(r->version));
	r->at = clock_wall_ms();
	r->json = cJSON_Duplicate(status->json, true);
}

int statuses_open(struct statuses *s, struct bus *bus, const struct gateways *gateways)
{
	hmap_init(&s->reports, free_report);
	s->gateways = gateways;
	s->opened_at = clock_wall_ms();
	return bus_watch_status(bus, on_status, s);
}

void statuses_fini(struct statuses *s)
{
	hmap_fini(&s->reports);
}

bool report_is_up(const struct report *r, int64_t now)
{
	return now - r->at < UP_MS;
}

static int compare(const void *a, const void *b)
{
	const struct report *x = *(const struct report *const *)a;
	const struct report *y = *(const struct report *const *)b;

	int by_gateway = strcmp(x->gateway, y->gateway);

	if (x->daemon != y->daemon)
		return (int)x->daemon - (int)y->daemon;
	return by_gateway ? by_gateway : strcmp(x->instance, y->instance);
}

size_t statuses_sorted(const struct statuses *s, const struct report **out, size_t max)
{
	size_t n = 0;

	hmap_foreach (&s->reports, it) {
		if (n < max)
			out[n++] = it.value;
	}
	qsort(out, n, sizeof(*out), compare);
	return n;
}

bool statuses_has(const struct statuses *s, enum bus_daemon d, const char *gateway, int64_t now)
{
	hmap_foreach (&s->reports, it) {
		const struct report *r = it.value;

		if (r->daemon == d && report_is_up(r, now) &&
			(!bus_daemon_is_of_gateway(d) || !strcmp(r->gateway, gateway)))
			return true;
	}
	return false;
}

static bool has_reported(const struct statuses *s, enum bus_daemon d, const char *gateway)
{
	hmap_foreach (&s->reports, it) {
		const struct report *r = it.value;

		if (r->daemon == d && !strcmp(r->gateway, gateway))
			return true;
	}
	return false;
}

size_t statuses_absent(const struct statuses *s, struct absent out[static ABSENT_MAX])
{
	size_t n = 0;

	for (int i = 0; i < BUS_DAEMONS; i++) {
		enum bus_daemon d = (enum bus_daemon)i;
		bool of_gateway = bus_daemon_is_of_gateway(d);

		for (size_t g = 0; g < (of_gateway ? s->gateways->n : 1); g++) {
			const struct gateway *at = &s->gateways->v[g];

			if ((!of_gateway || at->has_tunnels) && !has_reported(s, d, at->name))
				out[n++] = (struct absent){ d, at->name };
		}
	}
	return n;
}

const char *statuses_of_gateway(const struct statuses *s, const struct gateway *g, int64_t now)
{
	size_t all = 0, up = 0;

	for (int d = 0; d < BUS_DAEMONS; d++) {
		if (!bus_daemon_is_of_gateway((enum bus_daemon)d))
			continue;
		all++;
		up += statuses_has(s, (enum bus_daemon)d, g->name, now);
	}
	return up == all ? "ok" : up ? "degraded" : "missing";
}

/* ---- lag ---- */

static int64_t gen_of(const struct report *r, const char *topic)
{
	int64_t gen = 0;

	json_get_int(json_get(json_get(json_get(r->json, "topics"), topic), "gen"), &gen);
	return gen;
}

static int64_t highest(const struct statuses *s, const char *topic)
{
	int64_t now = clock_wall_ms(), best = 0;

	hmap_foreach (&s->reports, it) {
		const struct report *r = it.value;
		int64_t gen = report_is_up(r, now) ? gen_of(r, topic) : 0;

		best = gen > best ? gen : best;
	}
	return best;
}

size_t statuses_lags(const struct statuses *s, const struct report *r, struct lag *out, size_t max)
{
	const cJSON *one;
	size_t n = 0;

	cJSON_ArrayForEach (one, json_get(r->json, "applied")) {
		int64_t applied = 0, gen = highest(s, one->string);

		if (n == max || !json_get_int(one, &applied) || applied >= gen)
			continue;
		snprintf(out[n].topic, sizeof(out[n].topic), "%s", one->string);
		out[n].gen = gen;
		out[n++].applied = applied;
	}
	return n;
}
