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
	policy_categories_init(p);
	hmap_init(&p->list_facts, free);
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
	policy_categories_fini(p);
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

/* What a record is called and matches by; a match that nobody knows is the widest. */
static int parse_pattern(struct ruled *r)
{
	const struct rec_site_override *override = r->rec;
	const struct rec_domain_entry *entry = r->rec;
	const struct rec_dns_rule *dns = r->rec;

	switch (r->kind) {
	case RULES_OVERRIDES:
		r->id = override->id;
		if (override->head.closed && !rec_has(override, site_override, match))
			return pattern_parse_widest(override->pattern, &r->rule.pattern);
		return pattern_parse(override->pattern, override->match, &r->rule.pattern);
	case RULES_DNS:
		r->id = dns->id;
		if (dns->head.closed && !rec_has(dns, dns_rule, match))
			return pattern_parse_widest(dns->pattern, &r->rule.pattern);
		return pattern_parse(dns->pattern, dns->match, &r->rule.pattern);
	case RULES_SNI_BLOCK:
	case RULES_MITM_IGNORE:
	case RULE_KINDS:
		break;
	}
	r->id = entry->id;
	return pattern_parse(entry->domain, MATCH_ENDSWITH, &r->rule.pattern);
}

static bool is_scope_known(const char *scope)
{
	return !strncmp(scope, "device:", 7) || !strncmp(scope, "group:", 6);
}

/* Whom a record is for: "" = everybody, "closed" = nobody knows. */
static void scope_of(const struct ruled *r, char out[static SCOPE_LEN])
{
	const struct rec_site_override *override = r->rec;
	const struct rec_dns_rule *dns = r->rec;
	bool closed = override->head.closed;

	out[0] = '\0';
	if (r->kind == RULES_OVERRIDES && override->device)
		snprintf(out, SCOPE_LEN, "device:%s", override->device);
	else if (r->kind == RULES_OVERRIDES && override->group)
		snprintf(out, SCOPE_LEN, "group:%s", override->group);
	else if (r->kind == RULES_OVERRIDES && closed)
		snprintf(out, SCOPE_LEN, "closed");
	else if (r->kind == RULES_DNS && dns->scope && is_scope_known(dns->scope))
		snprintf(out, SCOPE_LEN, "%s", dns->scope);
	else if (r->kind == RULES_DNS && (closed || (dns->scope && strcmp(dns->scope, "all"))))
		snprintf(out, SCOPE_LEN, "closed");
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

/* One that no record map has any more. */
static void drop_rule(struct rule_set *s, struct ruled *r)
{
	char scope[SCOPE_LEN];
	struct rule_index *x;

	if (!r)
		return;
	scope_of(r, scope);
	x = hmap_find_str(&s->indexes, scope);
	rule_index_remove(x, &r->rule);
	if (!x->count)
		hmap_remove_str(&s->indexes, scope);
	free_ruled(r);
}

/* -EINVAL: its pattern matches nothing. */
static int new_rule(
	enum rule_kind kind, int owner, enum rec_type type, const void *rec, struct ruled **out)
{
	struct ruled *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->type = type;
	r->kind = kind;
	r->owner = owner;
	r->rule.data = r;
	r->rec = calloc(1, rec_size(type));
	if (!r->rec || rec_copy(type, rec, r->rec)) {
		free(r->rec);
		free(r);
		return -ENOMEM;
	}
	err = parse_pattern(r);
	if (err)
		free_ruled(r);
	else
		*out = r;
	return err;
}

/* In the place of the one of that id, which stays without memory. */
static int put_rule(struct rule_set *s, const char *id, struct ruled *r)
{
	struct ruled *old = hmap_find_str(&s->records[r->owner], id);
	char scope[SCOPE_LEN];
	struct rule_index *x;
	int err;

	scope_of(r, scope);
	x = make_index(s, scope);
	err = x ? rule_index_add(x, &r->rule) : -ENOMEM;
	if (err)
		return err;
	err = hmap_set_str(&s->records[r->owner], id, r);
	if (err)
		rule_index_remove(x, &r->rule);
	else
		drop_rule(s, old);
	return err;
}

static void on_rule(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	enum rule_kind kind = kind_of(topic);
	struct rule_set *s = &p->rules[kind];
	int o = owner == BUS_SYNCD;
	struct ruled *r = NULL;
	int err = rec ? new_rule(kind, o, bus_topic_record(topic), rec, &r) : 0;

	if (r)
		err = put_rule(s, id, r);
	else if (err != -ENOMEM)
		drop_rule(s, hmap_take_str(&s->records[o], id));
	if (err == -ENOMEM) {
		free_ruled(r);
		bus_record_lost(p->bus);
	} else if (err) {
		log_warning("rule ignored, its pattern matches nothing topic=%s id=%s",
			bus_topic_name(topic), id);
	}
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	policy_changed(arg, topic, owner, gen);
}

const struct bus_topic_ops policy_rule_ops = { on_rule, on_batch_end };

/* ---- finding ---- */

struct finder {
	const struct policy *p;
	bool (*on_match)(void *arg, const struct rule *rule);
	void *arg;
};

/* A record that both owners have is the winner's. */
static bool is_winners(const struct policy *p, const struct ruled *r)
{
	int winner = directory_settings(p->dir)->policy_source == POLICY_SOURCE_DIRECTUS;

	return r->owner == winner || !hmap_find_str(&p->rules[r->kind].records[winner], r->id);
}

static bool on_found(void *arg, const struct rule *rule)
{
	const struct finder *f = arg;

	return !is_winners(f->p, rule->data) || f->on_match(f->arg, rule);
}

void policy_find_rules(const struct policy *p, enum rule_kind kind, const struct rule_scope *scope,
	const struct rule_subject *subject, bool (*on_match)(void *arg, const struct rule *rule),
	void *arg)
{
	const struct hmap *map = &p->rules[kind].indexes;
	struct finder f = { p, on_match, arg };
	const struct rule_index *x;
	char key[SCOPE_LEN];

	if (!map->count)
		return;
	snprintf(key, sizeof(key), "%s%s", scope->kind, scope->id);
	x = hmap_find_str(map, key);
	if (x)
		rule_index_find(x, subject, on_found, &f);
}

void policy_ignored_each(
	const struct policy *p, void (*on_each)(void *arg, const char *domain), void *arg)
{
	const struct rule_set *s = &p->rules[RULES_MITM_IGNORE];

	for (int o = 0; o < 2; o++) {
		hmap_foreach (&s->records[o], it) {
			const struct ruled *r = it.value;
			const struct rec_domain_entry *entry = r->rec;

			if (is_winners(p, r))
				on_each(arg, entry->domain);
		}
	}
}

static bool has_url_rule(const struct rule_index *x, const char *host, size_t len)
{
	list_foreach (&x->others, it) {
		const struct rule *rule = container_of(it, struct rule, node);

		if (rule->pattern.is_url && pattern_may_be_of(&rule->pattern, host, len))
			return true;
	}
	return false;
}

bool policy_has_path_rules(const struct policy *p, const char *host, size_t len)
{
	if (!p->webset_loaded || webset_has_urls(&p->webset, host, len))
		return true;
	hmap_foreach (&p->rules[RULES_OVERRIDES].indexes, it) {
		if (has_url_rule(it.value, host, len))
			return true;
	}
	return false;
}

bool policy_is_better(const struct rule *a, const struct rule *b)
{
	const struct ruled *ra = a->data, *rb = b ? b->data : NULL;
	int order;

	if (!b || a->pattern.len != b->pattern.len)
		return !b || a->pattern.len > b->pattern.len;
	order = strcmp(a->pattern.text, b->pattern.text);
	return order ? order < 0 : strcmp(ra->id, rb->id) < 0;
}
