/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/image_ignore.h"
#include "common/hmap.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { APID, SYNCD, OWNERS };

struct image_ignore {
	struct bus *bus;
	const struct directory *dir;
	struct hmap records[OWNERS]; /* id → domain */
	struct hmap domains;	     /* those that count → their record's value */
	int source;		     /* that domains were made with: enum policy_source */
	bool is_stale;
};

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct image_ignore *i = arg;
	const struct rec_domain_entry *entry = rec;
	struct hmap *records = &i->records[owner == BUS_SYNCD ? SYNCD : APID];
	char *domain;

	(void)topic;
	i->is_stale = true;
	hmap_clear(&i->domains);
	if (!entry) {
		hmap_remove_str(records, id);
		return;
	}
	domain = strdup(entry->domain);
	for (char *p = domain; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!domain || hmap_set_str(records, id, domain)) {
		bus_record_lost(i->bus);
		free(domain);
	}
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	const struct image_ignore *i = arg;

	bus_topic_applied(i->bus, topic, owner, gen);
}

/* What is missing for want of memory hides images until it is looked for again, and no more. */
static void make_domains(struct image_ignore *i)
{
	int winner;

	i->source = directory_settings(i->dir)->policy_source;
	i->is_stale = false;
	winner = i->source == POLICY_SOURCE_DIRECTUS ? SYNCD : APID;
	hmap_clear(&i->domains);
	for (int o = 0; o < OWNERS; o++) {
		hmap_foreach (&i->records[o], it) {
			if (o == winner || !hmap_find_str(&i->records[winner], it.key))
				i->is_stale |= hmap_set_str(&i->domains, it.value, it.value) != 0;
		}
	}
}

struct image_ignore *image_ignore_open(struct bus *bus, const struct directory *dir)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };
	static const enum bus_daemon owners[OWNERS] = { BUS_APID, BUS_SYNCD };
	struct image_ignore *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->bus = bus;
	i->dir = dir;
	i->is_stale = true;
	hmap_init(&i->domains, NULL);
	for (int o = 0; o < OWNERS; o++)
		hmap_init(&i->records[o], free);
	for (int o = 0; o < OWNERS; o++) {
		if (bus_subscribe(bus, TOPIC_image_ignore, owners[o], &ops, i)) {
			image_ignore_close(i);
			return NULL;
		}
	}
	return i;
}

void image_ignore_close(struct image_ignore *i)
{
	hmap_fini(&i->domains);
	for (int o = 0; o < OWNERS; o++)
		hmap_fini(&i->records[o]);
	free(i);
}

bool image_ignore_has(struct image_ignore *i, const char *host)
{
	if (i->is_stale || i->source != (int)directory_settings(i->dir)->policy_source)
		make_domains(i);
	while (i->domains.count && host) {
		if (hmap_find_str(&i->domains, host))
			return true;
		host = strchr(host, '.');
		host += host ? 1 : 0;
	}
	return false;
}
