/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/followed.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_list(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct followed *f = arg;
	const char *text = rec ? bus_topic_find(f->bus, topic, owner, id) : NULL;
	cJSON *json = NULL;
	char *made = NULL;

	/* While it is being delivered the mirror may not have it yet. */
	if (rec && !text) {
		json = codec_encode(bus_topic_record(topic), rec);
		text = made = json ? json_format(json) : NULL;
	}
	if (!text)
		table_remove(&f->lists, id);
	else if (table_set(&f->lists, id, text))
		log_error("record of syncd cannot be shown topic=lists id=%s", id);
	cJSON_Delete(json);
	free(made);
}

int followed_open(struct followed *f, struct bus *bus)
{
	static const struct bus_topic_ops ops = { .on_record = on_list };

	table_init(&f->lists);
	f->bus = bus;
	return bus_subscribe(bus, TOPIC_lists, BUS_SYNCD, &ops, f);
}

void followed_fini(struct followed *f)
{
	table_fini(&f->lists);
}
