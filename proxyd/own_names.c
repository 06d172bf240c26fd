/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/own_names.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_MAX 256

struct own_name {
	bool has_address;
	char name[KEY_MAX]; /* lower-case text, perhaps with "*." */
};

void own_names_init(struct own_names *n)
{
	hmap_init(&n->by_id, free);
	hmap_init(&n->by_name, NULL);
}

void own_names_fini(struct own_names *n)
{
	hmap_fini(&n->by_name);
	hmap_fini(&n->by_id);
}

static void take_name(const char *text, char out[static KEY_MAX])
{
	size_t len = strnlen(text, KEY_MAX - 1);

	if (len && text[len - 1] == '.')
		len--;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	out[len] = '\0';
}

int own_names_set(struct own_names *n, const char *id, const struct rec_dns_record *rec)
{
	struct own_name *fresh;

	if (!rec) {
		hmap_remove_str(&n->by_id, id);
		return 0;
	}
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	take_name(rec->name, fresh->name);
	fresh->has_address = !strcasecmp(rec->type, "A") || !strcasecmp(rec->type, "AAAA");
	if (hmap_set_str(&n->by_id, id, fresh)) {
		free(fresh);
		return -ENOMEM;
	}
	return 0;
}

/* Values of by_name. */
static const char with_address = 0, without_address = 0;

int own_names_index(struct own_names *n)
{
	struct hmap fresh;

	hmap_init(&fresh, NULL);
	hmap_foreach (&n->by_id, it) {
		const struct own_name *one = it.value;

		if (hmap_find_str(&fresh, one->name) == &with_address)
			continue;
		if (hmap_set_str(&fresh, one->name,
			    (void *)(one->has_address ? &with_address : &without_address))) {
			hmap_fini(&fresh);
			return -ENOMEM;
		}
	}
	hmap_fini(&n->by_name);
	n->by_name = fresh;
	return 0;
}

bool own_names_has_address(const struct own_names *n, const char *host)
{
	const char *found = hmap_find_str(&n->by_name, host);
	char key[KEY_MAX + 1] = "*";

	for (const char *dot = strchr(host, '.'); !found && dot && strlen(dot) < KEY_MAX;
		dot = strchr(dot + 1, '.')) {
		memcpy(key + 1, dot, strlen(dot) + 1);
		found = hmap_find_str(&n->by_name, key);
	}
	return found == &with_address;
}

/* ---- the topic ---- */

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct own_names *n = arg;

	(void)topic;
	(void)owner;
	if (own_names_set(n, id, rec))
		bus_record_lost(n->bus);
}

static void on_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct own_names *n = arg;

	if (own_names_index(n))
		bus_record_lost(n->bus);
	else
		bus_topic_applied(n->bus, topic, owner, gen);
}

int own_names_subscribe(struct own_names *n, struct bus *bus)
{
	static const struct bus_topic_ops ops = { on_record, on_end };

	n->bus = bus;
	return bus_subscribe(bus, TOPIC_dns_records, BUS_APID, &ops, n);
}
