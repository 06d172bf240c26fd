/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/pinned.h"

#include <stdlib.h>

static void on_pinned(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct pinned *p = arg;
	const struct rec_pinned *r = rec;
	cJSON *json;
	char *text;

	(void)topic;
	(void)owner;
	if (!r || r->revoked || r->head.closed) {
		table_remove(&p->table, id);
		return;
	}
	json = codec_encode(REC_pinned, r);
	text = json ? json_format(json) : NULL;
	if (text)
		table_set(&p->table, id, text);
	free(text);
	cJSON_Delete(json);
}

int pinned_open(struct pinned *p, struct bus *bus)
{
	static const struct bus_topic_ops ops = { .on_record = on_pinned };

	p->bus = bus;
	table_init(&p->table);
	return bus_subscribe(bus, TOPIC_pinned, BUS_PROXYD, &ops, p);
}

void pinned_fini(struct pinned *p)
{
	table_fini(&p->table);
}
