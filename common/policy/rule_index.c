/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/rule_index.h"
#include "common/codec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void rule_index_init(struct rule_index *x)
{
	hmap_init(&x->exact, free);
	hmap_init(&x->suffix, free);
	list_init(&x->others);
	x->count = 0;
}

void rule_index_fini(struct rule_index *x)
{
	hmap_fini(&x->exact);
	hmap_fini(&x->suffix);
}

/* Is a rule of this form found by a hash of its host? */
static bool is_hashed(const struct pattern *p)
{
	if (p->is_url)
		return false;
	return p->match == MATCH_EXACT || (p->match == MATCH_ENDSWITH && p->text[0] != '.');
}

static struct hmap *map_of(struct rule_index *x, const struct pattern *p)
{
	return p->match == MATCH_EXACT ? &x->exact : &x->suffix;
}

/* The chain of that host, made when there is none. NULL without memory. */
static struct list *make_chain(struct hmap *map, const struct pattern *p)
{
	struct list *chain = hmap_find(map, p->text, p->len);

	if (chain)
		return chain;
	chain = malloc(sizeof(*chain));
	if (!chain || hmap_set(map, p->text, p->len, chain)) {
		free(chain);
		return NULL;
	}
	list_init(chain);
	return chain;
}

int rule_index_add(struct rule_index *x, struct rule *rule)
{
	struct list *chain = is_hashed(&rule->pattern)
				     ? make_chain(map_of(x, &rule->pattern), &rule->pattern)
				     : &x->others;

	if (!chain)
		return -ENOMEM;
	list_add(chain, &rule->node);
	x->count++;
	return 0;
}

void rule_index_remove(struct rule_index *x, struct rule *rule)
{
	const struct list *chain;
	struct hmap *map;

	list_remove(&rule->node);
	x->count--;
	if (!is_hashed(&rule->pattern))
		return;
	map = map_of(x, &rule->pattern);
	chain = hmap_find(map, rule->pattern.text, rule->pattern.len);
	if (chain && list_is_empty(chain))
		hmap_remove(map, rule->pattern.text, rule->pattern.len);
}

/* All rules of a hash chain match by their key. false = stop. */
static bool report_chain(
	const struct list *chain, bool (*on_match)(void *arg, const struct rule *rule), void *arg)
{
	if (!chain)
		return true;
	list_foreach (chain, it) {
		if (!on_match(arg, container_of(it, struct rule, node)))
			return false;
	}
	return true;
}

static bool find_hosts(const struct rule_index *x, const char *host, size_t len,
	bool (*on_match)(void *arg, const struct rule *rule), void *arg)
{
	size_t www = pattern_www_len(host, len);

	host += www;
	len -= www;
	if (x->exact.count && !report_chain(hmap_find(&x->exact, host, len), on_match, arg))
		return false;
	while (x->suffix.count && len) {
		if (!report_chain(hmap_find(&x->suffix, host, len), on_match, arg))
			return false;
		const char *dot = memchr(host, '.', len);
		size_t skip = dot ? (size_t)(dot - host) + 1 : len;
		host += skip;
		len -= skip;
	}
	return true;
}

void rule_index_find(const struct rule_index *x, const struct rule_subject *s,
	bool (*on_match)(void *arg, const struct rule *rule), void *arg)
{
	if (!find_hosts(x, s->host, s->host_len, on_match, arg))
		return;
	list_foreach (&x->others, it) {
		const struct rule *rule = container_of(it, struct rule, node);
		const char *subject = rule->pattern.is_url ? s->url : s->host;
		size_t len = rule->pattern.is_url ? s->url_len : s->host_len;
		if (subject && pattern_matches(&rule->pattern, subject, len) &&
			!on_match(arg, rule))
			return;
	}
}
