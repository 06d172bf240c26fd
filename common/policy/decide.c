/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one decision: SPEC P5 and the table of which rules act on which path. */
#include "common/policy/policy.h"
#include "common/policy/store.h"
#include "common/policy/url.h"
#include <string.h>

/* One question being decided. */
struct judgement {
	const struct policy *p;
	struct device_view *dev;
	const struct policy_query *q;
	struct rule_subject subject;
	int64_t now_ms;
	struct decision *out;
};

const char *verdict_text(enum verdict v)
{
	switch (v) {
	case VERDICT_BLOCK:
		return "block";
	case VERDICT_UNKNOWN:
		return "unknown";
	case VERDICT_ALLOW:
		return "allow";
	case VERDICT_PASS:
		return "pass";
	}
	return "block";
}

const char *reason_text(enum reason r)
{
	switch (r) {
	case REASON_NO_POLICY:
		return "no policy";
	case REASON_CONNECTIVITY:
		return "connectivity check";
	case REASON_SWITCH:
		return "switch";
	case REASON_SNI_BLOCK:
		return "blocked name";
	case REASON_SECURITY:
		return "security";
	case REASON_OVERRIDE:
		return "override";
	case REASON_FORCED_CATEGORY:
		return "forced category";
	case REASON_LIST:
		return "list";
	case REASON_LIST_EXCEPTION:
		return "list exception";
	case REASON_BLOCKED_CATEGORY:
		return "blocked category";
	case REASON_ALLOWED_CATEGORY:
		return "allowed category";
	case REASON_UNKNOWN:
		return "not reviewed";
	case REASON_DNS_RULE:
		return "DNS rule";
	case REASON_DEFAULT:
		return "default";
	}
	return "no policy";
}

/* Always true, so that a step can end with `return decide(…)`. */
static bool decide(struct judgement *j, enum verdict verdict, enum reason reason, const char *rule,
	enum bus_topic topic)
{
	j->out->verdict = verdict;
	j->out->reason = reason;
	j->out->rule = rule ? rule : "";
	j->out->generation = bus_topic_gen(j->p->bus, topic, BUS_APID);
	return true;
}

static bool is_host(const struct judgement *j, const char *name)
{
	return strlen(name) == j->q->host_len && !memcmp(name, j->q->host, j->q->host_len);
}

/* The name itself or one below it. */
static bool is_below(const struct judgement *j, const char *name)
{
	size_t len = strlen(name), host_len = j->q->host_len;

	return host_len >= len && !memcmp(j->q->host + host_len - len, name, len) &&
	       (host_len == len || j->q->host[host_len - len - 1] == '.');
}

static bool is_renewal_host(const struct judgement *j)
{
	const struct rec_strs *hosts = &directory_settings(j->p->dir)->renewal_hosts;

	for (size_t i = 0; i < hosts->n; i++) {
		if (is_below(j, hosts->v[i]))
			return true;
	}
	return false;
}

/* Step 1. Walled devices keep the hosts where they can renew. */
static bool judge_switches(struct judgement *j)
{
	const struct device_view *d = j->dev;
	const char *rule;

	if (!strcmp(d->profile, "walled")) {
		if (d->entitlement != ENTITLED && is_renewal_host(j))
			return decide(
				j, VERDICT_ALLOW, REASON_SWITCH, "renewal host", TOPIC_settings);
		rule = d->entitlement != ENTITLED ? entitlement_text(d->entitlement) : "offline";
		return decide(j, VERDICT_BLOCK, REASON_SWITCH, rule, TOPIC_devices);
	}
	if (j->q->path == POLICY_PATH_PROXY ? d->offline_browser : d->offline_vpn)
		return decide(j, VERDICT_BLOCK, REASON_SWITCH,
			j->q->path == POLICY_PATH_PROXY ? "offline_browser" : "offline_vpn",
			TOPIC_device_prefs);
	return false;
}

/* Step 0, after the switches. */
static bool judge_connectivity(struct judgement *j)
{
	const struct rec_strs *names = &directory_settings(j->p->dir)->connectivity_checks;

	for (size_t i = 0; i < names->n; i++) {
		if (is_host(j, names->v[i]))
			return decide(
				j, VERDICT_ALLOW, REASON_CONNECTIVITY, names->v[i], TOPIC_settings);
	}
	return false;
}

static bool on_first_rule(void *arg, const struct rule *rule)
{
	const struct rule **found = arg;

	*found = rule;
	return false;
}

static const struct rule *find_rule(const struct judgement *j, enum rule_kind kind)
{
	const struct rule_index *x = policy_rules(j->p, kind, "", NULL);
	const struct rule *found = NULL;

	if (x)
		rule_index_find(x, &j->subject, on_first_rule, &found);
	return found;
}

static bool judge_sni_block(struct judgement *j)
{
	const struct rule *rule = find_rule(j, RULES_SNI_BLOCK);

	return rule &&
	       decide(j, VERDICT_BLOCK, REASON_SNI_BLOCK, rule->pattern.text, TOPIC_sni_block);
}

/* What the device's lists say: step 5. */
static uint64_t lists_on(const struct judgement *j)
{
	const struct policy *p = j->p;
	struct device_view *d = j->dev;

	if (d->lists_off_version != p->set_version) {
		d->lists_off_mask = p->lists_default_off;
		for (int bit = 0; bit < 64; bit++) {
			for (size_t i = 0; p->lists[bit] && i < d->lists_off.n; i++) {
				if (!strcmp(p->lists[bit], d->lists_off.v[i]))
					d->lists_off_mask |= 1ULL << bit;
			}
		}
		d->lists_off_version = p->set_version;
	}
	return p->lists_used & ~d->lists_off_mask;
}

static bool judge_lists(struct judgement *j)
{
	struct domainset_hit hit;
	const struct policy *p = j->p;

	domainset_find(&p->set, j->q->host, j->q->host_len, lists_on(j), &hit);
	if (!hit.blocked)
		return false;
	j->out->list = p->lists[__builtin_ctzll(hit.blocked)];
	j->out->list_title = policy_list_title(p, j->out->list);
	decide(j, VERDICT_BLOCK, REASON_LIST, j->q->host + hit.offset, TOPIC_domainset);
	j->out->generation = p->set_gen;
	return true;
}

/* ---- websites ---- */

enum site_step { SITE_SECURITY, SITE_FORCED, SITE_BLOCKED, SITE_ALLOWED, SITE_STEPS };

/* The first matching website of each step. */
struct sites {
	const struct judgement *j;
	const struct rule *rule[SITE_STEPS];
	const struct rec_category *category[SITE_STEPS];
	bool hide_images, show_images, mask_words, show_words;
	bool no_decrypt;
};

/* Is the category blocked for this device? Device preference, then group, then its default. */
static bool is_category_blocked(const struct judgement *j, const struct rec_category *c)
{
	const struct rec_category_pref *pref =
		policy_category_pref(j->p, "device", j->dev->id, c->id);

	if (!pref)
		pref = policy_category_pref(j->p, "group", j->dev->group, c->id);
	if (pref)
		return pref->head.closed || pref->blocked;
	return !rec_has(c, category, default_) ? false : c->default_ == ACTION_BLOCK;
}

static enum site_step site_step(
	const struct judgement *j, const struct rec_website *site, const struct rec_category *c)
{
	if (!c || c->head.closed || site->head.closed)
		return SITE_BLOCKED;
	if (rec_has(c, category, visibility)) {
		if (c->visibility == VISIBILITY_SECURITY)
			return SITE_SECURITY;
		if (c->visibility == VISIBILITY_REPORT || c->visibility == VISIBILITY_EXTREME)
			return SITE_FORCED;
	}
	return is_category_blocked(j, c) ? SITE_BLOCKED : SITE_ALLOWED;
}

static void note_media(
	struct sites *s, const struct rec_website *site, const struct rec_category *c)
{
	bool site_images = rec_has(site, website, images);

	if (site_images ? site->images == MEDIA_HIDE
			: c && rec_has(c, category, images) && c->images == MEDIA_HIDE)
		s->hide_images = true;
	else if (site_images)
		s->show_images = true;
	if (rec_has(site, website, words)) {
		s->mask_words |= site->words == MEDIA_HIDE;
		s->show_words |= site->words == MEDIA_SHOW;
	}
	s->no_decrypt |= c && c->no_decrypt;
}

static bool on_site(void *arg, const struct rule *rule)
{
	struct sites *s = arg;
	const struct ruled *r = rule->data;
	const struct rec_website *site = r->rec;
	const struct rec_category *c = policy_category(s->j->p, site->category);
	enum site_step step;

	if (!site->head.closed && rec_has(site, website, status) &&
		site->status != REVIEW_STATUS_APPROVED)
		return true;
	step = site_step(s->j, site, c);
	note_media(s, site, c);
	if (!s->rule[step]) {
		s->rule[step] = rule;
		s->category[step] = c;
	}
	return true;
}

static bool decide_site(struct judgement *j, const struct sites *s, enum site_step step,
	enum verdict verdict, enum reason reason)
{
	const struct rec_website *site;

	if (!s->rule[step])
		return false;
	site = ((const struct ruled *)s->rule[step]->data)->rec;
	j->out->category = !s->category[step]	     ? site->category
			   : s->category[step]->name ? s->category[step]->name
						     : s->category[step]->id;
	return decide(j, verdict, reason, s->rule[step]->pattern.text, TOPIC_websites);
}

/* ---- overrides: step 3 ---- */

struct overrides {
	const struct judgement *j;
	const struct rule *block, *allow;
};

static bool on_override(void *arg, const struct rule *rule)
{
	struct overrides *o = arg;
	const struct rec_site_override *rec = ((const struct ruled *)rule->data)->rec;

	if (!rec->head.closed && rec_has(rec, site_override, until) && rec->until <= o->j->now_ms)
		return true;
	if (rec->head.closed || rec->action == ACTION_BLOCK)
		o->block = rule;
	else
		o->allow = rule;
	return true;
}

static bool judge_overrides_in(
	struct judgement *j, const char *scope, const char *id, struct sites *s)
{
	const struct rule_index *x = policy_rules(j->p, RULES_OVERRIDES, scope, id);
	struct overrides o = { .j = j };
	const struct rec_site_override *rec;

	if (!x)
		return false;
	rule_index_find(x, &j->subject, on_override, &o);
	if (o.block)
		return decide(j, VERDICT_BLOCK, REASON_OVERRIDE, o.block->pattern.text,
			TOPIC_site_overrides);
	if (!o.allow)
		return false;
	rec = ((const struct ruled *)o.allow->data)->rec;
	if (rec_has(rec, site_override, images)) {
		s->hide_images = rec->images == MEDIA_HIDE;
		s->show_images = !s->hide_images;
	}
	if (rec_has(rec, site_override, words)) {
		s->mask_words = rec->words == MEDIA_HIDE;
		s->show_words = !s->mask_words;
	}
	return decide(
		j, VERDICT_ALLOW, REASON_OVERRIDE, o.allow->pattern.text, TOPIC_site_overrides);
}

static bool judge_overrides(struct judgement *j, struct sites *s)
{
	return judge_overrides_in(j, "device", j->dev->id, s) ||
	       (j->dev->group && judge_overrides_in(j, "group", j->dev->group, s)) ||
	       judge_overrides_in(j, "", NULL, s);
}

/* Images and words of a page that is shown: site or override, else the device. */
static void decide_media(struct judgement *j, const struct sites *s)
{
	j->out->hide_images = s->hide_images || (!s->show_images && j->dev->images == MEDIA_HIDE);
	j->out->mask_words = s->mask_words || (!s->show_words && j->dev->words == MEDIA_HIDE);
	j->out->no_decrypt = s->no_decrypt || find_rule(j, RULES_MITM_IGNORE);
}

/* ---- paths ---- */

/* Steps 2 to 8; whether step 8 is reached depends on the path. */
static void judge_sites(struct judgement *j)
{
	struct sites s = { .j = j };
	const struct rule_index *x = policy_rules(j->p, RULES_WEBSITES, "", NULL);
	bool decided;

	if (x)
		rule_index_find(x, &j->subject, on_site, &s);
	decided = judge_sni_block(j) ||
		  decide_site(j, &s, SITE_SECURITY, VERDICT_BLOCK, REASON_SECURITY) ||
		  judge_overrides(j, &s) ||
		  decide_site(j, &s, SITE_FORCED, VERDICT_BLOCK, REASON_FORCED_CATEGORY) ||
		  judge_lists(j) ||
		  decide_site(j, &s, SITE_BLOCKED, VERDICT_BLOCK, REASON_BLOCKED_CATEGORY) ||
		  decide_site(j, &s, SITE_ALLOWED, VERDICT_ALLOW, REASON_ALLOWED_CATEGORY);
	if (!decided)
		decide(j,
			j->dev->unknown_sites == UNKNOWN_SITES_PASS ? VERDICT_PASS
								    : VERDICT_UNKNOWN,
			REASON_UNKNOWN, "", TOPIC_websites);
	decide_media(j, &s);
}

static void judge_intercept(struct judgement *j)
{
	if (j->dev->site_scope == SITE_SCOPE_ALL) {
		judge_sites(j);
		return;
	}
	if (!judge_sni_block(j) && !judge_lists(j))
		decide(j, VERDICT_ALLOW, REASON_DEFAULT, "", TOPIC_settings);
}

struct dns_rules {
	int64_t now_ms;
	const struct rule *block, *allow;
};

static bool on_dns_rule(void *arg, const struct rule *rule)
{
	struct dns_rules *d = arg;
	const struct rec_dns_rule *rec = ((const struct ruled *)rule->data)->rec;

	if (!rec->head.closed && rec_has(rec, dns_rule, until) && rec->until <= d->now_ms)
		return true;
	if (rec->head.closed || rec->action == ACTION_BLOCK)
		d->block = rule;
	else
		d->allow = rule;
	return true;
}

/* Device, group, everybody; block beats allow on one level. */
static bool judge_dns_rules(struct judgement *j)
{
	const struct rule_index *levels[] = {
		policy_rules(j->p, RULES_DNS, "device", j->dev->id),
		j->dev->group ? policy_rules(j->p, RULES_DNS, "group", j->dev->group) : NULL,
		policy_rules(j->p, RULES_DNS, "", NULL),
	};

	for (int i = 0; i < 3; i++) {
		struct dns_rules d = { .now_ms = j->now_ms };
		if (levels[i])
			rule_index_find(levels[i], &j->subject, on_dns_rule, &d);
		if (d.block || d.allow)
			return decide(j, d.block ? VERDICT_BLOCK : VERDICT_ALLOW, REASON_DNS_RULE,
				(d.block ? d.block : d.allow)->pattern.text, TOPIC_dns_rules);
	}
	return false;
}

static void judge_dns(struct judgement *j)
{
	if (!judge_dns_rules(j) && !judge_lists(j))
		decide(j, VERDICT_ALLOW, REASON_DEFAULT, "", TOPIC_settings);
}

/* host + rest in the scratch buffer; false when it is too long to be judged. */
static bool make_subject(struct policy *p, const struct policy_query *q, struct rule_subject *out)
{
	*out = (struct rule_subject){ .host = q->host, .host_len = q->host_len };
	if (!q->rest)
		return true;
	if (q->host_len + q->rest_len > sizeof(p->scratch))
		return false;
	memcpy(p->scratch, q->host, q->host_len);
	char *rest = p->scratch + q->host_len;
	memcpy(rest, q->rest, q->rest_len);
	out->url = p->scratch;
	out->url_len = q->host_len + url_resolve_dots(rest, url_decode_rest(rest, q->rest_len));
	return true;
}

void policy_decide(struct policy *p, struct device_view *dev, const struct policy_query *q,
	int64_t now_ms, struct decision *out)
{
	struct judgement j = { .p = p, .dev = dev, .q = q, .now_ms = now_ms, .out = out };

	*out = (struct decision){ .rule = "", .list = "", .list_title = "", .category = "" };
	if (!dev || !policy_is_known(p) || !make_subject(p, q, &j.subject))
		return;
	if (judge_switches(&j) || judge_connectivity(&j))
		return;
	switch (q->path) {
	case POLICY_PATH_DNS:
		judge_dns(&j);
		return;
	case POLICY_PATH_INTERCEPT:
		judge_intercept(&j);
		return;
	case POLICY_PATH_PROXY:
		judge_sites(&j);
		return;
	}
}
