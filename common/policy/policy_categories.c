/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 256

static void free_category(void *value)
{
	rec_fini(REC_category, value);
	free(value);
}

static void free_pref(void *value)
{
	struct category_pref *pref = value;

	rec_fini(REC_category_pref, &pref->rec);
	free(pref);
}

void policy_categories_init(struct policy *p)
{
	for (int o = 0; o < 2; o++) {
		hmap_init(&p->categories[o], free_category);
		hmap_init(&p->category_prefs[o], free_pref);
		hmap_init(&p->pref_index[o], free);
	}
}

void policy_categories_fini(struct policy *p)
{
	for (int o = 0; o < 2; o++) {
		hmap_fini(&p->categories[o]);
		hmap_fini(&p->category_prefs[o]);
		hmap_fini(&p->pref_index[o]);
	}
}

static void on_category(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	struct hmap *map = &p->categories[owner == BUS_SYNCD];
	struct rec_category *copy;

	(void)topic;
	if (!rec) {
		hmap_remove_str(map, id);
		return;
	}
	copy = calloc(1, sizeof(*copy));
	if (!copy || rec_copy(REC_category, rec, copy)) {
		free(copy);
		bus_record_lost(p->bus);
	} else if (hmap_set_str(map, id, copy)) {
		free_category(copy);
		bus_record_lost(p->bus);
	}
}

/* ---- preferences ---- */

/* Whom and what it is for; "closed": nobody knows whom. */
static void pref_key(const struct rec_category_pref *rec, char out[static KEY_LEN])
{
	const char *kind = rec->device	      ? "device:"
			   : rec->group	      ? "group:"
			   : rec->head.closed ? "closed"
					      : "";
	const char *id = rec->device ? rec->device : rec->group ? rec->group : "";

	snprintf(out, KEY_LEN, "%s%s/%s", kind, id, rec->category);
}

static struct list *make_chain(struct hmap *index, const char *key)
{
	struct list *chain = hmap_find_str(index, key);

	if (chain)
		return chain;
	chain = malloc(sizeof(*chain));
	if (!chain || hmap_set_str(index, key, chain)) {
		free(chain);
		return NULL;
	}
	list_init(chain);
	return chain;
}

static void unlink_pref(struct policy *p, int o, struct category_pref *pref)
{
	const struct list *chain;
	char key[KEY_LEN];

	if (!pref)
		return;
	pref_key(&pref->rec, key);
	list_remove(&pref->node);
	chain = hmap_find_str(&p->pref_index[o], key);
	if (chain && list_is_empty(chain))
		hmap_remove_str(&p->pref_index[o], key);
}

/* Without memory the old one stays. */
static int set_pref(struct policy *p, int o, const char *id, const struct rec_category_pref *rec)
{
	struct category_pref *pref = calloc(1, sizeof(*pref));
	struct category_pref *old = hmap_find_str(&p->category_prefs[o], id);
	char key[KEY_LEN];
	struct list *chain;

	if (!pref || rec_copy(REC_category_pref, rec, &pref->rec)) {
		free(pref);
		return -ENOMEM;
	}
	pref_key(rec, key);
	chain = make_chain(&p->pref_index[o], key);
	if (!chain) {
		free_pref(pref);
		return -ENOMEM;
	}
	list_add(chain, &pref->node);
	if (!old && hmap_set_str(&p->category_prefs[o], id, pref)) {
		unlink_pref(p, o, pref);
		free_pref(pref);
		return -ENOMEM;
	}
	if (old) {
		unlink_pref(p, o, old);
		hmap_set_str(&p->category_prefs[o], id, pref); /* in its place: takes no memory */
	}
	return 0;
}

static void on_pref(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	int o = owner == BUS_SYNCD;

	(void)topic;
	if (rec) {
		if (set_pref(p, o, id, rec))
			bus_record_lost(p->bus);
		return;
	}
	unlink_pref(p, o, hmap_find_str(&p->category_prefs[o], id));
	hmap_remove_str(&p->category_prefs[o], id);
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	policy_changed(arg, topic, owner, gen);
}

const struct bus_topic_ops policy_category_ops = { on_category, on_batch_end };
const struct bus_topic_ops policy_pref_ops = { on_pref, on_batch_end };

const struct rec_category *policy_category(const struct policy *p, const char *id)
{
	int winner = directory_settings(p->dir)->policy_source == POLICY_SOURCE_DIRECTUS;
	const struct rec_category *c = hmap_find_str(&p->categories[winner], id);

	return c ? c : hmap_find_str(&p->categories[!winner], id);
}

void policy_categories_each(
	const struct policy *p, void (*on_each)(void *arg, const struct rec_category *c), void *arg)
{
	for (int o = 0; o < 2; o++) {
		hmap_foreach (&p->categories[o], it) {
			const struct rec_category *c = it.value;
			if (policy_category(p, c->id) == c)
				on_each(arg, c);
		}
	}
}

const struct list *policy_category_prefs(
	const struct policy *p, const struct rule_scope *scope, const char *category)
{
	int winner = directory_settings(p->dir)->policy_source == POLICY_SOURCE_DIRECTUS;
	const struct list *chain;
	char key[KEY_LEN];

	if (!p->pref_index[0].count && !p->pref_index[1].count)
		return NULL;
	snprintf(key, sizeof(key), "%s%s/%s", scope->kind, scope->id, category);
	chain = hmap_find_str(&p->pref_index[winner], key);
	return chain ? chain : hmap_find_str(&p->pref_index[!winner], key);
}
