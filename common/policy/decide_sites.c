/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Website rules and overrides: steps 2 to 4, 6 and 7. */
#include "common/policy/decide.h"
#include "common/policy/schedule.h"
#include <string.h>

/* ---- categories ---- */

static bool is_scheduled(const struct device_view *d, const char *category)
{
	static const char prefix[] = "category:";

	for (size_t i = 0; i < d->schedule_count; i++) {
		const char *what = d->schedules[i].what;
		if ((d->schedules_now >> i & 1) && !strncmp(what, prefix, sizeof(prefix) - 1) &&
			!strcmp(what + sizeof(prefix) - 1, category))
			return true;
	}
	return false;
}

/* One that cannot be read, or whose zone nobody knows, holds where it restricts. */
static bool pref_holds(const struct judgement *j, const struct rec_category_pref *pref)
{
	if (pref->head.closed || !pref->schedule)
		return true;
	if (!pref->blocked && !schedule_is_readable(pref->schedule, j->dev->zone))
		return false;
	return schedule_holds(pref->schedule, j->dev->zone, j->now_ms);
}

/* Is the category blocked for this device? Its schedules, the preferences that hold now on the
 * first level that has any, the default. */
static bool is_category_blocked(const struct judgement *j, const struct rec_category *c)
{
	struct rule_scope levels[LEVELS];

	if (is_scheduled(j->dev, c->id))
		return true;
	decide_levels(j, levels);
	for (int i = 0; i < LEVELS; i++) {
		const struct list *prefs = policy_category_prefs(j->p, &levels[i], c->id);
		bool allowed = false;
		if (!prefs)
			continue;
		list_foreach (prefs, it) {
			const struct rec_category_pref *pref =
				&container_of(it, struct category_pref, node)->rec;
			if (!pref_holds(j, pref))
				continue;
			if (pref->head.closed || pref->blocked)
				return true;
			allowed = true;
		}
		if (allowed)
			return false;
	}
	return rec_has(c, category, default_) && c->default_ == ACTION_BLOCK;
}

static enum site_step site_step(
	const struct judgement *j, const struct webset_rule *rule, const struct rec_category *c)
{
	if (!c)
		return SITE_BLOCKED;
	if (rec_has(c, category, visibility)) {
		if (c->visibility == VISIBILITY_SECURITY)
			return SITE_SECURITY;
		if (c->visibility == VISIBILITY_REPORT || c->visibility == VISIBILITY_EXTREME)
			return SITE_FORCED;
	} else if (c->head.closed) {
		return SITE_SECURITY;
	}
	if (rule->closed || c->head.closed)
		return SITE_BLOCKED;
	return is_category_blocked(j, c) ? SITE_BLOCKED : SITE_ALLOWED;
}

/* ---- what matches ---- */

static void note_media(
	struct sites *s, const struct webset_rule *rule, const struct rec_category *c)
{
	/* Nobody knows what a closed record wants shown. */
	if (rule->closed || (c && c->head.closed)) {
		s->hide_images = s->mask_words = true;
		return;
	}
	if (rule->images == WEBSET_MEDIA_HIDE ||
		(rule->images == WEBSET_MEDIA_INHERIT && c && rec_has(c, category, images) &&
			c->images == MEDIA_HIDE))
		s->hide_images = true;
	else if (rule->images == WEBSET_MEDIA_SHOW)
		s->show_images = true;
	s->mask_words |= rule->words == WEBSET_MEDIA_HIDE;
	s->show_words |= rule->words == WEBSET_MEDIA_SHOW;
	s->no_decrypt |= c && c->no_decrypt;
}

static void note_list(struct judgement *j, const struct webset_rule *rule)
{
	for (int i = 0; i < 64; i++) {
		if (!j->p->lists[i] || strcmp(j->p->lists[i], rule->category))
			continue;
		j->sites.lists |= 1ULL << i;
		if (!j->sites.list_rule[i] || strlen(j->sites.list_rule[i]) < rule->pattern_len)
			j->sites.list_rule[i] = rule->pattern;
	}
}

/* Of several rules of one step the longest pattern is named, whatever their order. */
static bool is_more_specific(const struct webset_rule *a, const struct webset_rule *b)
{
	if (!b->pattern || a->pattern_len != b->pattern_len)
		return !b->pattern || a->pattern_len > b->pattern_len;
	int order = strcmp(a->pattern, b->pattern);
	return order ? order < 0 : strcmp(a->id, b->id) < 0;
}

/* Whoever matches many rules meets few categories. */
static const struct category_memo *recall(struct judgement *j, const struct webset_rule *rule)
{
	static const struct webset_rule open = { 0 };
	struct policy *p = j->p;
	struct category_memo *m =
		&p->memo[((uintptr_t)rule->category * 0x9e3779b97f4a7c15ULL) >> 58];

	if (m->turn == p->memo_turn && m->id == rule->category)
		return m;
	m->turn = p->memo_turn;
	m->id = rule->category;
	m->category = policy_category(p, rule->category);
	m->step = site_step(j, &open, m->category);
	return m;
}

static bool on_site(void *arg, const struct webset_rule *rule)
{
	struct judgement *j = arg;
	const struct category_memo *memo;
	const struct rec_category *c;
	enum site_step step;

	if (rule->is_list) {
		note_list(j, rule);
		return true;
	}
	memo = recall(j, rule);
	c = memo->category;
	/* A closed rule never allows. */
	step = rule->closed && memo->step == SITE_ALLOWED ? SITE_BLOCKED
							  : (enum site_step)memo->step;
	note_media(&j->sites, rule, c);
	if (is_more_specific(rule, &j->sites.rule[step])) {
		j->sites.rule[step] = *rule;
		j->sites.category[step] = c;
	}
	return true;
}

void find_sites(struct judgement *j)
{
	if (j->sites.found)
		return;
	j->sites.found = true;
	j->p->memo_turn++;
	webset_find(&j->p->webset, &j->subject, on_site, j);
}

static bool decide_site(
	struct judgement *j, enum site_step step, enum verdict verdict, enum reason reason)
{
	const struct webset_rule *rule = &j->sites.rule[step];

	find_sites(j);
	if (!rule->pattern)
		return false;
	const struct rec_category *c = j->sites.category[step];
	j->out->category = !c ? rule->category : c->name ? c->name : c->id;
	j->out->category_id = rule->category;
	j->out->rule_id = rule->id;
	return decide(j, verdict, reason, rule->pattern, j->p->web_image.in_force);
}

bool judge_security(struct judgement *j)
{
	return decide_site(j, SITE_SECURITY, VERDICT_BLOCK, REASON_SECURITY);
}

bool judge_forced(struct judgement *j)
{
	return decide_site(j, SITE_FORCED, VERDICT_BLOCK, REASON_FORCED_CATEGORY);
}

bool judge_blocked_category(struct judgement *j)
{
	return decide_site(j, SITE_BLOCKED, VERDICT_BLOCK, REASON_BLOCKED_CATEGORY);
}

bool judge_allowed_category(struct judgement *j)
{
	return decide_site(j, SITE_ALLOWED, VERDICT_ALLOW, REASON_ALLOWED_CATEGORY);
}

/* ---- what allowed sites need ---- */

/* The name itself or one below it. */
static bool is_at_or_below(const char *host, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	return len >= name_len && !memcmp(host + len - name_len, name, name_len) &&
	       (len == name_len || host[len - name_len - 1] == '.');
}

static bool on_needing(void *arg, const struct webset_rule *rule)
{
	struct judgement *j = arg;
	const char *need = rule->needs;

	if (rule->is_list || !rule->needs_count ||
		site_step(j, rule, policy_category(j->p, rule->category)) != SITE_ALLOWED)
		return true;
	for (size_t i = 0; i < rule->needs_count; i++, need += strlen(need) + 1) {
		if (!is_at_or_below(j->q->host, j->q->host_len, need))
			continue;
		j->out->rule_id = rule->id;
		return !decide(
			j, VERDICT_ALLOW, REASON_NEEDED, rule->pattern, j->p->web_image.in_force);
	}
	return true;
}

bool judge_needed(struct judgement *j)
{
	struct rule_subject page = { .host = j->q->page_host, .host_len = j->q->page_host_len };

	if (!page.host)
		return false;
	webset_find(&j->p->webset, &page, on_needing, j);
	return j->out->reason == REASON_NEEDED;
}

/* ---- overrides: step 3 ---- */

struct overrides {
	int64_t now_ms;
	const struct rule *block, *allow;
	/* What those that allow say of the page. */
	bool hide_images, show_images, mask_words, show_words;
};

static void note_override(struct overrides *o, const struct rec_site_override *rec)
{
	if (rec_has(rec, site_override, images)) {
		o->hide_images |= rec->images == MEDIA_HIDE;
		o->show_images |= rec->images == MEDIA_SHOW;
	}
	if (rec_has(rec, site_override, words)) {
		o->mask_words |= rec->words == MEDIA_HIDE;
		o->show_words |= rec->words == MEDIA_SHOW;
	}
}

static bool on_override(void *arg, const struct rule *rule)
{
	struct overrides *o = arg;
	const struct rec_site_override *rec = ((const struct ruled *)rule->data)->rec;
	const struct rule **best = &o->block;

	if (!rec->head.closed && rec_has(rec, site_override, until) && rec->until <= o->now_ms)
		return true;
	if (!rec->head.closed && rec->action == ACTION_ALLOW) {
		best = &o->allow;
		note_override(o, rec);
	}
	if (policy_is_better(rule, *best))
		*best = rule;
	return true;
}

/* Overrides that allow may say how the page is shown; of several the strictest. */
static void take_media(struct sites *s, const struct overrides *o)
{
	if (o->hide_images || o->show_images) {
		s->hide_images = o->hide_images;
		s->show_images = !o->hide_images;
	}
	if (o->mask_words || o->show_words) {
		s->mask_words = o->mask_words;
		s->show_words = !o->mask_words;
	}
}

static bool judge_overrides_of(struct judgement *j, const struct rule_scope *scope)
{
	struct overrides o = { .now_ms = j->now_ms };

	policy_find_rules(j->p, RULES_OVERRIDES, scope, &j->subject, on_override, &o);
	const struct rule *rule = o.block ? o.block : o.allow;
	if (!rule)
		return false;
	find_sites(j);
	if (rule == o.allow)
		take_media(&j->sites, &o);
	j->out->rule_id = ((const struct ruled *)rule->data)->id;
	return decide(j, rule == o.block ? VERDICT_BLOCK : VERDICT_ALLOW, REASON_OVERRIDE,
		rule->pattern.text, decide_generation(j, TOPIC_site_overrides));
}

bool judge_overrides(struct judgement *j)
{
	struct rule_scope levels[LEVELS];

	decide_levels(j, levels);
	for (int i = 0; i < LEVELS; i++) {
		if (judge_overrides_of(j, &levels[i]))
			return true;
	}
	return false;
}

static bool on_any_rule(void *arg, const struct rule *rule)
{
	(void)rule;
	*(bool *)arg = true;
	return false;
}

void decide_media(struct judgement *j)
{
	static const struct rule_scope all = { "", "" };
	const struct sites *s = &j->sites;
	bool ignore = false;

	find_sites(j);
	policy_find_rules(j->p, RULES_MITM_IGNORE, &all, &j->subject, on_any_rule, &ignore);
	j->out->hide_images = s->hide_images || (!s->show_images && j->dev->images == MEDIA_HIDE);
	j->out->mask_words = s->mask_words || (!s->show_words && j->dev->words == MEDIA_HIDE);
	j->out->no_decrypt = s->no_decrypt || ignore;
}
