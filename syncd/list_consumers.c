/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_consumers.h"
#include "common/json.h"
#include <stdio.h>
#include <string.h>

#define SILENT_MS 15000

static const enum bus_topic topics[CONSUMER_TOPICS] = { TOPIC_domainset, TOPIC_webset,
	TOPIC_lists };

static struct consumer *find(struct consumers *c, const struct bus_status *s)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].daemon == s->daemon && !strcmp(c->v[i].instance, s->instance))
			return &c->v[i];
	}
	return NULL;
}

static struct consumer *find_or_add(struct consumers *c, const struct bus_status *s)
{
	struct consumer *one = find(c, s);

	if (one || c->n == CONSUMERS_MAX)
		return one;
	one = &c->v[c->n++];
	*one = (struct consumer){ .daemon = s->daemon };
	memcpy(one->instance, s->instance, sizeof(one->instance));
	return one;
}

/* Generation that the status has seen of the topic; false: it does not subscribe it. */
static bool get_seen(const struct bus_status *s, enum bus_topic topic, uint64_t *out)
{
	char name[64];
	const cJSON *row;
	int64_t gen = 0;

	snprintf(name, sizeof(name), "%s:%s", bus_topic_name(topic), bus_daemon_name(BUS_SYNCD));
	row = json_get(json_get(s->json, "topics"), name);
	json_get_int(json_get(row, "gen"), &gen);
	*out = gen < 0 ? 0 : (uint64_t)gen;
	return row != NULL;
}

void consumers_note(struct consumers *c, const struct bus_status *s, uint64_t now)
{
	struct consumer *one;
	bool any = false;

	if (s->daemon == BUS_SYNCD)
		return;
	consumers_forget(c, now);
	one = find_or_add(c, s);
	if (!one)
		return;
	one->heard_at = now;
	for (int i = 0; i < CONSUMER_TOPICS; i++) {
		one->subscribes[i] = get_seen(s, topics[i], &one->seen[i]);
		one->applied[i] = bus_status_applied(s, topics[i], BUS_SYNCD);
		any = any || one->subscribes[i];
	}
	if (!any)
		*one = c->v[--c->n];
}

void consumers_forget(struct consumers *c, uint64_t now)
{
	for (size_t i = 0; i < c->n;) {
		if (now - c->v[i].heard_at > SILENT_MS)
			c->v[i] = c->v[--c->n];
		else
			i++;
	}
}

bool consumers_have(const struct consumers *c, enum consumer_topic topic, uint64_t gen)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].subscribes[topic] && c->v[i].applied[topic] < gen)
			return false;
	}
	return true;
}

size_t consumers_count(const struct consumers *c, enum consumer_topic topic)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].subscribes[topic];
	return n;
}

const struct consumer *consumers_find_stuck(struct consumers *c, enum consumer_topic topic,
	uint64_t gen, uint64_t patience_ms, uint64_t now)
{
	const struct consumer *found = NULL;

	for (size_t i = 0; i < c->n; i++) {
		struct consumer *one = &c->v[i];
		bool stuck = one->subscribes[topic] && one->seen[topic] >= gen &&
			     one->applied[topic] < gen;

		if (!stuck)
			one->stuck_since[topic] = 0;
		else if (!one->stuck_since[topic])
			one->stuck_since[topic] = now;
		else if (now - one->stuck_since[topic] >= patience_ms)
			found = one;
	}
	return found;
}
