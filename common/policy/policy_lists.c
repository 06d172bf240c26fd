/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "common/policy/store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_lists(char **lists)
{
	for (int i = 0; i < 64; i++) {
		free(lists[i]);
		lists[i] = NULL;
	}
}

void policy_lists_fini(struct policy *p)
{
	if (p->set_loaded)
		domainset_close(&p->set);
	free_lists(p->lists);
}

/* Bits of lists that are off unless a device switches them on. */
static void recompute_default_off(struct policy *p)
{
	p->lists_default_off = p->lists_by_address = 0;
	for (int i = 0; i < 64; i++) {
		const struct list_facts *f =
			p->lists[i] ? hmap_find_str(&p->list_facts, p->lists[i]) : NULL;
		if (f && f->default_off)
			p->lists_default_off |= 1ULL << i;
		if (f && f->by_address)
			p->lists_by_address |= 1ULL << i;
	}
	if (!++p->set_version)
		p->set_version = 1;
}

static int open_image(const char *path, void **out)
{
	struct domainset *fresh = calloc(1, sizeof(*fresh));
	int err = fresh ? domainset_open_file(path, fresh) : -ENOMEM;

	if (err)
		free(fresh);
	else
		*out = fresh;
	return err;
}

static void close_image(void *opened)
{
	domainset_close(opened);
	free(opened);
}

/* The old one goes back in the new one's memory. */
static void swap_image(struct policy *p, void *opened, void **old)
{
	struct domainset *fresh = opened, before = p->set;

	p->set = *fresh;
	*fresh = before;
	*old = p->set_loaded ? fresh : NULL;
	if (!p->set_loaded)
		free(fresh);
	p->set_loaded = true;
	recompute_default_off(p);
}

const struct policy_image_ops policy_set_image_ops = {
	.topic = TOPIC_domainset,
	.name = "domain set",
	.open = open_image,
	.swap = swap_image,
	.close = close_image,
};

void policy_prefetch(const struct policy *p, const char *host, size_t host_len)
{
	if (p->set_loaded)
		domainset_prefetch(&p->set, host, host_len);
}

/* Without memory the old ones stay. */
static int take_list_ids(struct policy *p, const struct rec_domainset *rec)
{
	char *fresh[64] = { NULL };
	uint64_t used = 0;

	for (size_t i = 0; i < rec->lists.n && i < 64; i++) {
		if (!*rec->lists.v[i])
			continue;
		fresh[i] = strdup(rec->lists.v[i]);
		if (!fresh[i]) {
			free_lists(fresh);
			return -ENOMEM;
		}
		used |= 1ULL << i;
	}
	free_lists(p->lists);
	memcpy(p->lists, fresh, sizeof(fresh));
	p->lists_used = used;
	recompute_default_off(p);
	return 0;
}

static void on_domainset(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	const struct rec_domainset *d = rec;

	(void)topic;
	(void)owner;
	if (strcmp(id, "main") || !d)
		return; /* a set that is gone leaves the last good in force */
	if (take_list_ids(p, d))
		bus_record_lost(p->bus);
	else
		policy_image_want(&p->set_image, d->blob);
}

static void on_domainset_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct policy *p = arg;

	(void)topic;
	(void)owner;
	policy_image_settle(&p->set_image, gen);
}

const char *policy_list_title(const struct policy *p, const char *id)
{
	const struct list_facts *f = hmap_find_str(&p->list_facts, id);

	return f && *f->title ? f->title : id;
}

static void on_list(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	const struct rec_list *l = rec;
	const char *title = l && l->title ? l->title : "";
	/* A record that cannot be read leaves the list on. */
	bool default_off = l && !l->head.closed && rec_has(l, list, default_on) && !l->default_on;
	/* Those of DoH resolvers always. */
	bool by_address =
		l && (l->head.closed || l->by_address || (l->kind && !strcmp(l->kind, "doh")));
	struct list_facts *f = hmap_find_str(&p->list_facts, id);

	(void)topic;
	(void)owner;
	/* Most changes of a record are counts and times. */
	if (l ? f && f->default_off == default_off && f->by_address == by_address &&
				!strcmp(f->title, title)
	      : !f)
		return;
	p->lists_changed = true;
	if (!l) {
		hmap_remove_str(&p->list_facts, id);
		return;
	}
	f = calloc(1, sizeof(*f) + strlen(title) + 1);
	if (!f || hmap_set_str(&p->list_facts, id, f)) {
		bus_record_lost(p->bus);
		free(f);
		return;
	}
	f->default_off = default_off;
	f->by_address = by_address;
	memcpy(f->title, title, strlen(title) + 1);
}

static void on_list_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct policy *p = arg;

	/* The first batch makes the topic known: that may be what was missing. */
	if (p->lists_told && !p->lists_changed) {
		bus_topic_applied(p->bus, topic, owner, gen);
		return;
	}
	p->lists_told = true;
	p->lists_changed = false;
	recompute_default_off(p);
	policy_changed(p, topic, owner, gen);
}

const struct bus_topic_ops policy_domainset_ops = { on_domainset, on_domainset_end };
const struct bus_topic_ops policy_list_ops = { on_list, on_list_end };
