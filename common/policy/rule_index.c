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

/* Where rules of this form hang: a hash of hosts, or NULL for those tried one by one. */
static struct hmap *map_of(struct rule_index *x, const struct pattern *p)
{
	if (p->is_url)
		return NULL;
	if (p->match == MATCH_EXACT)
		return &x->exact;
	return p->match == MATCH_ENDSWITH && p->text[0] != '.' ? &x->suffix : NULL;
}

int rule_index_add(struct rule_index *x, struct rule *rule)
{
	struct hmap *map = map_of(x, &rule->pattern);
	struct list *chain = &x->others;

	if (map) {
		chain = hmap_find(map, rule->pattern.text, rule->pattern.len);
		if (!chain) {
			chain = malloc(sizeof(*chain));
			if (!chain || hmap_set(map, rule->pattern.text, rule->pattern.len, chain)) {
				free(chain);
				return -ENOMEM;
			}
			list_init(chain);
		}
	}
	list_add(chain, &rule->node);
	x->count++;
	return 0;
}

void rule_index_remove(struct rule_index *x, struct rule *rule)
{
	struct hmap *map = map_of(x, &rule->pattern);
	const struct list *chain;

	list_remove(&rule->node);
	x->count--;
	if (!map)
		return;
	chain = hmap_find(map, rule->pattern.text, rule->pattern.len);
	if (chain && list_is_empty(chain))
		hmap_remove(map, rule->pattern.text, rule->pattern.len);
}

/* All rules of a hash chain match by their key. false = stop. */
static bool report_chain(const struct list *chain,
	bool (*on_match)(void *arg, const struct rule *rule), void *arg)
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
		if (subject && pattern_matches(&rule->pattern, subject, len) && !on_match(arg, rule))
			return;
	}
}
