/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/followed.h"
#include "apid/topics.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void follow(struct bus *bus, struct table *table, enum bus_topic topic,
	enum bus_daemon owner, const char *id, const void *rec)
{
	const char *text = rec ? bus_topic_find(bus, topic, owner, id) : NULL;
	cJSON *json = NULL;
	char *made = NULL;
	int err = 0;

	/* While it is being delivered the mirror may not have it yet. */
	if (rec && !text) {
		json = codec_encode(bus_topic_record(topic), rec);
		text = made = json ? json_format(json) : NULL;
	}
	if (!rec)
		table_remove(table, id);
	else
		err = text ? table_set(table, id, text) : -ENOMEM;
	if (err == -ENOMEM)
		bus_record_lost(bus);
	else if (err)
		log_error("record cannot be shown topic=%s id=%s", topic_name(topic), id);
	cJSON_Delete(json);
	free(made);
}

static void on_list(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct followed *f = arg;

	follow(f->bus, &f->lists, topic, owner, id, rec);
}

static void on_pinned(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	const struct followed_of *of = arg;
	const struct rec_pinned *r = rec;
	bool holds = r && !r->revoked && !r->head.closed;

	follow(of->bus, &of->all->pinned, topic, owner, id, holds ? rec : NULL);
}

const struct gateway *followed_pinned_at(const struct followed *f, const char *id)
{
	for (size_t i = 0; i < f->gateways->n; i++) {
		if (bus_topic_find(f->gateways->v[i].bus, TOPIC_pinned, BUS_PROXYD, id))
			return &f->gateways->v[i];
	}
	return &f->gateways->v[0];
}

int followed_open(struct followed *f, struct bus *bus, const struct gateways *gateways)
{
	static const struct bus_topic_ops lists = { .on_record = on_list };
	static const struct bus_topic_ops pinned = { .on_record = on_pinned };
	int err;

	table_init(&f->lists);
	table_init(&f->pinned);
	f->bus = bus;
	f->gateways = gateways;
	err = bus_subscribe(bus, TOPIC_lists, BUS_SYNCD, &lists, f);
	for (size_t i = 0; i < gateways->n && !err; i++) {
		f->of[i] = (struct followed_of){ f, gateways->v[i].bus };
		err = bus_subscribe(f->of[i].bus, TOPIC_pinned, BUS_PROXYD, &pinned, &f->of[i]);
	}
	return err;
}

void followed_fini(struct followed *f)
{
	table_fini(&f->lists);
	table_fini(&f->pinned);
}
