/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/list_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void forget(struct list_names *n, const char *id)
{
	const char *title = hmap_find_str(&n->titles, id);
	const char *of = title ? hmap_find_str(&n->ids, title) : NULL;

	if (of && !strcmp(of, id)) /* of two with one title the later one has it */
		hmap_remove_str(&n->ids, title);
	hmap_remove_str(&n->titles, id);
}

static int set_copy(struct hmap *m, const char *key, const char *value)
{
	char *copy = strdup(value);
	int err = copy ? hmap_set_str(m, key, copy) : -ENOMEM;

	if (err)
		free(copy);
	return err;
}

static void on_list(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct list_names *n = arg;
	const struct rec_list *l = rec;

	(void)topic;
	(void)owner;
	forget(n, id);
	if (!l || !l->title)
		return;
	if (set_copy(&n->titles, id, l->title) || set_copy(&n->ids, l->title, id))
		bus_record_lost(n->bus);
}

int list_names_open(struct list_names *n, struct bus *bus)
{
	static const struct bus_topic_ops ops = { .on_record = on_list };

	n->bus = bus;
	hmap_init(&n->ids, free);
	hmap_init(&n->titles, free);
	return bus_subscribe(bus, TOPIC_lists, BUS_SYNCD, &ops, n);
}

void list_names_fini(struct list_names *n)
{
	hmap_fini(&n->ids);
	hmap_fini(&n->titles);
}

const char *list_names_id(const struct list_names *n, const char *text)
{
	const char *id = hmap_find_str(&n->ids, text);

	return id ? id : text;
}

const char *list_names_title(const struct list_names *n, const char *id)
{
	return hmap_find_str(&n->titles, id);
}
