/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "common/policy/store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_LEN 160

static void free_index(void *value)
{
	rule_index_fini(value);
	free(value);
}

static void free_ruled(struct ruled *r)
{
	if (!r)
		return;
	pattern_fini(&r->rule.pattern);
	if (r->rec)
		rec_fini(r->type, r->rec);
	free(r->rec);
	free(r);
}

void policy_stores_init(struct policy *p)
{
	for (int k = 0; k < RULE_KINDS; k++) {
		for (int o = 0; o < 2; o++)
			hmap_init(&p->rules[k].records[o], NULL);
		hmap_init(&p->rules[k].indexes, free_index);
	}
	for (int o = 0; o < 2; o++) {
		hmap_init(&p->categories[o], NULL);
		hmap_init(&p->category_prefs[o], NULL);
		hmap_init(&p->pref_index[o], NULL);
	}
	hmap_init(&p->list_facts, free);
}

static void free_records(struct hmap *map, enum rec_type type)
{
	hmap_foreach (map, it) {
		rec_fini(type, it.value);
		free(it.value);
	}
	hmap_fini(map);
}

void policy_stores_fini(struct policy *p)
{
	for (int k = 0; k < RULE_KINDS; k++) {
		for (int o = 0; o < 2; o++) {
			hmap_foreach (&p->rules[k].records[o], it)
				free_ruled(it.value);
			hmap_fini(&p->rules[k].records[o]);
		}
		hmap_fini(&p->rules[k].indexes);
	}
	for (int o = 0; o < 2; o++) {
		free_records(&p->categories[o], REC_category);
		free_records(&p->category_prefs[o], REC_category_pref);
		hmap_fini(&p->pref_index[o]);
	}
	hmap_fini(&p->list_facts);
}

static enum rule_kind kind_of(enum bus_topic topic)
{
	switch (topic) {
	case TOPIC_site_overrides:
		return RULES_OVERRIDES;
	case TOPIC_sni_block:
		return RULES_SNI_BLOCK;
	case TOPIC_mitm_ignore:
		return RULES_MITM_IGNORE;
	default:
		return RULES_DNS;
	}
}

/* What a record matches by. */
static void pattern_of(enum rule_kind kind, const void *rec, const char **text, int *match)
{
	const struct rec_site_override *override = rec;
	const struct rec_domain_entry *entry = rec;
	const struct rec_dns_rule *dns = rec;

	*match = MATCH_ENDSWITH;
	switch (kind) {
	case RULES_OVERRIDES:
		*text = override->pattern;
		*match = override->match;
		return;
	case RULES_DNS:
		*text = dns->pattern;
		*match = dns->match;
		return;
	case RULES_SNI_BLOCK:
	case RULES_MITM_IGNORE:
	case RULE_KINDS:
		*text = entry->domain;
	}
}

/* Whom a record is for: "" = everybody. */
static void scope_of(enum rule_kind kind, const void *rec, char out[static SCOPE_LEN])
{
	const struct rec_site_override *override = rec;
	const struct rec_dns_rule *dns = rec;

	out[0] = '\0';
	if (kind == RULES_OVERRIDES && override->device)
		snprintf(out, SCOPE_LEN, "device:%s", override->device);
	else if (kind == RULES_OVERRIDES && override->group)
		snprintf(out, SCOPE_LEN, "group:%s", override->group);
	else if (kind == RULES_DNS && dns->scope && strcmp(dns->scope, "all"))
		snprintf(out, SCOPE_LEN, "%s", dns->scope);
}

static struct rule_index *make_index(struct rule_set *s, const char *scope)
{
	struct rule_index *x = hmap_find_str(&s->indexes, scope);

	if (x)
		return x;
	x = malloc(sizeof(*x));
	if (!x)
		return NULL;
	rule_index_init(x);
	if (hmap_set_str(&s->indexes, scope, x)) {
		free(x);
		return NULL;
	}
	return x;
}

static void remove_rule(struct rule_set *s, enum rule_kind kind, int owner, const char *id)
{
	struct ruled *r = hmap_take_str(&s->records[owner], id);
	char scope[SCOPE_LEN];
	struct rule_index *x;

	if (!r)
		return;
	scope_of(kind, r->rec, scope);
	x = hmap_find_str(&s->indexes, scope);
	rule_index_remove(x, &r->rule);
	if (!x->count)
		hmap_remove_str(&s->indexes, scope);
	free_ruled(r);
}

static struct ruled *new_rule(enum rule_kind kind, enum rec_type type, const void *rec)
{
	struct ruled *r = calloc(1, sizeof(*r));
	const char *text;
	int match;

	if (!r)
		return NULL;
	r->type = type;
	r->rule.data = r;
	r->rec = calloc(1, rec_size(type));
	if (!r->rec || rec_copy(type, rec, r->rec)) {
		free(r->rec);
		free(r);
		return NULL;
	}
	pattern_of(kind, r->rec, &text, &match);
	if (pattern_parse(text, match, &r->rule.pattern)) {
		free_ruled(r);
		return NULL;
	}
	return r;
}

static void on_rule(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	enum rule_kind kind = kind_of(topic);
	struct rule_set *s = &p->rules[kind];
	int o = owner == BUS_SYNCD;
	char scope[SCOPE_LEN];
	struct rule_index *x;
	struct ruled *r;

	remove_rule(s, kind, o, id);
	if (!rec)
		return;
	r = new_rule(kind, bus_topic_record(topic), rec);
	if (!r) {
		log_warning("rule ignored, its pattern matches nothing topic=%s id=%s",
			bus_topic_name(topic), id);
		return;
	}
	scope_of(kind, rec, scope);
	x = make_index(s, scope);
	if (!x || hmap_set_str(&s->records[o], id, r)) {
		log_error("no memory for a rule topic=%s", bus_topic_name(topic));
		free_ruled(r);
		return;
	}
	if (rule_index_add(x, &r->rule)) {
		log_error("no memory for a rule topic=%s", bus_topic_name(topic));
		free_ruled(hmap_take_str(&s->records[o], id));
	}
}

static void pref_key(const struct rec_category_pref *pref, char *out, size_t len)
{
	snprintf(out, len, "%s:%s/%s",
		pref->device  ? "device"
		: pref->group ? "group"
			      : "all",
		pref->device  ? pref->device
		: pref->group ? pref->group
			      : "",
		pref->category);
}

static bool pref_blocks(const struct rec_category_pref *pref)
{
	return pref->head.closed || pref->blocked;
}

/* Of two records for the same device and category the one that blocks stands in the index. */
static void index_pref(struct policy *p, int o, struct rec_category_pref *pref)
{
	const struct rec_category_pref *twin;
	char key[256];

	pref_key(pref, key, sizeof(key));
	twin = hmap_find_str(&p->pref_index[o], key);
	p->has_twin_prefs |= twin && twin != pref;
	if (twin && pref_blocks(twin))
		return;
	if (hmap_set_str(&p->pref_index[o], key, pref))
		log_error("no memory for a record topic=category_prefs");
}

/* pref is out of the records already. */
static void unindex_pref(struct policy *p, int o, const struct rec_category_pref *pref)
{
	char key[256], other[256];

	pref_key(pref, key, sizeof(key));
	if (hmap_find_str(&p->pref_index[o], key) != pref)
		return;
	hmap_take_str(&p->pref_index[o], key);
	if (!p->has_twin_prefs)
		return;
	hmap_foreach (&p->category_prefs[o], it) {
		pref_key(it.value, other, sizeof(other));
		if (!strcmp(key, other))
			index_pref(p, o, it.value);
	}
}

static void on_category(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	int o = owner == BUS_SYNCD;
	enum rec_type type = bus_topic_record(topic);
	struct hmap *map = topic == TOPIC_categories ? &p->categories[o] : &p->category_prefs[o];
	bool is_pref = topic == TOPIC_category_prefs;
	void *old = hmap_take_str(map, id), *copy = NULL;

	if (old) {
		if (is_pref)
			unindex_pref(p, o, old);
		rec_fini(type, old);
		free(old);
	}
	if (!rec)
		return;
	copy = calloc(1, rec_size(type));
	if (!copy || rec_copy(type, rec, copy)) {
		log_error("no memory for a record topic=%s", bus_topic_name(topic));
		free(copy);
	} else if (hmap_set_str(map, id, copy)) {
		log_error("no memory for a record topic=%s", bus_topic_name(topic));
		rec_fini(type, copy);
		free(copy);
	} else if (is_pref) {
		index_pref(p, o, copy);
	}
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	policy_changed(arg, topic, owner, gen);
}

const struct bus_topic_ops policy_rule_ops = { on_rule, on_batch_end };
const struct bus_topic_ops policy_category_ops = { on_category, on_batch_end };

const struct rec_category *policy_category(const struct policy *p, const char *id)
{
	int winner = directory_settings(p->dir)->policy_source == POLICY_SOURCE_DIRECTUS;
	const struct rec_category *c = hmap_find_str(&p->categories[winner], id);

	return c ? c : hmap_find_str(&p->categories[!winner], id);
}

const struct rec_category_pref *policy_category_pref(
	const struct policy *p, const char *kind, const char *id, const char *category)
{
	int winner = directory_settings(p->dir)->policy_source == POLICY_SOURCE_DIRECTUS;
	const struct rec_category_pref *pref;
	char key[256];

	if (!id || (!p->pref_index[0].count && !p->pref_index[1].count))
		return NULL;
	snprintf(key, sizeof(key), "%s:%s/%s", kind, id, category);
	pref = hmap_find_str(&p->pref_index[winner], key);
	return pref ? pref : hmap_find_str(&p->pref_index[!winner], key);
}

const struct rule_index *policy_rules(
	const struct policy *p, enum rule_kind kind, const char *scope, const char *id)
{
	const struct hmap *map = &p->rules[kind].indexes;
	char key[SCOPE_LEN];

	if (!map->count)
		return NULL;
	if (!id)
		return hmap_find_str(map, scope);
	snprintf(key, sizeof(key), "%s:%s", scope, id);
	return hmap_find_str(map, key);
}
