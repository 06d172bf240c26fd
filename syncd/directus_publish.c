/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_publish.h"
#include <errno.h>
#include <stdlib.h>

#define FEW 10

void directus_publish_init(struct directus_publish *p, struct bus *bus)
{
	*p = (struct directus_publish){ .bus = bus };
	for (int i = 0; i < BUS_TOPICS; i++)
		hmap_init(&p->ids[i], NULL);
}

void directus_publish_fini(struct directus_publish *p)
{
	for (int i = 0; i < BUS_TOPICS; i++)
		hmap_fini(&p->ids[i]);
}

static int replace(struct directus_publish *p, enum bus_topic topic, struct hmap *records)
{
	const char **ids = calloc(records->count + 1, sizeof(*ids));
	cJSON **values = calloc(records->count + 1, sizeof(*values));
	size_t n = 0;
	int err = ids && values ? 0 : -ENOMEM;

	if (!err) {
		hmap_foreach (records, it) {
			ids[n] = it.key;
			values[n++] = it.value;
		}
		err = bus_state_replace(p->bus, topic, ids, values, n);
		/* The bus has them, whatever it answered. */
		records->free_value = NULL;
	}
	free(ids);
	free(values);
	return err;
}

static int change(struct directus_publish *p, enum bus_topic topic, struct hmap *records)
{
	int err = 0;

	hmap_foreach (&p->ids[topic], it) {
		if (!hmap_find(records, it.key, it.len) && !err)
			err = bus_state_del(p->bus, topic, it.key);
	}
	records->free_value = NULL;
	hmap_foreach (records, it) {
		if (err)
			cJSON_Delete(it.value);
		else
			err = bus_state_set(p->bus, topic, it.key, it.value);
	}
	return err;
}

static size_t count_removed(const struct hmap *ids, const struct hmap *records)
{
	size_t n = 0;

	hmap_foreach (ids, it)
		n += !hmap_find(records, it.key, it.len);
	return n;
}

int directus_publish_set(struct directus_publish *p, enum bus_topic topic, struct hmap *records)
{
	struct hmap *ids = &p->ids[topic];
	void (*free_value)(void *value) = records->free_value;
	size_t removed = count_removed(ids, records);
	int err;

	if (!p->declared[topic] || (removed > FEW && removed > ids->count / 2))
		err = replace(p, topic, records);
	else
		err = change(p, topic, records);
	hmap_clear(ids);
	hmap_foreach (records, it) {
		if (!err)
			err = hmap_set(ids, it.key, it.len, p);
	}
	/* After an error nobody knows what is there: the next time replaces it. */
	p->declared[topic] = !err;
	hmap_clear(records);
	records->free_value = free_value;
	return err;
}
