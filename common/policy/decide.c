/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one decision: SPEC P5 and the table of which rules act on which path. */
#include "common/policy/decide.h"
#include "common/policy/url.h"
#include <string.h>

bool decide(struct judgement *j, enum verdict verdict, enum reason reason, const char *rule,
	uint64_t generation)
{
	j->out->verdict = verdict;
	j->out->reason = reason;
	j->out->rule = rule ? rule : "";
	j->out->generation = generation;
	return true;
}

/* The higher of the two owners' would say nothing: the one that rules, or has it at all. */
uint64_t decide_generation(const struct judgement *j, enum bus_topic topic)
{
	bool directus = directory_settings(j->p->dir)->policy_source == POLICY_SOURCE_DIRECTUS;
	uint64_t gen = bus_topic_gen(j->p->bus, topic, directus ? BUS_SYNCD : BUS_APID);
	return gen ? gen : bus_topic_gen(j->p->bus, topic, directus ? BUS_APID : BUS_SYNCD);
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

/* F7: the intercepted port 80 (its URL is known) is the browser's too. */
static const char *find_cut(const struct judgement *j)
{
	enum policy_path path = j->q->path;
	bool is_browser =
		path == POLICY_PATH_PROXY || (path == POLICY_PATH_INTERCEPT && j->q->rest);

	if (j->dev->offline_browser && is_browser)
		return "offline_browser";
	return j->dev->offline_vpn && path != POLICY_PATH_PROXY ? "offline_vpn" : NULL;
}

/* Step 1. Walled devices keep the hosts where they can renew. */
static bool judge_switches(struct judgement *j)
{
	const struct device_view *d = j->dev;
	const char *rule;

	if (!strcmp(d->profile, "walled")) {
		if (is_renewal_host(j))
			return decide(j, VERDICT_ALLOW, REASON_SWITCH, "renewal host",
				decide_generation(j, TOPIC_settings));
		rule = d->entitlement != ENTITLED ? entitlement_text(d->entitlement)
		       : d->scheduled_off	  ? "schedule"
						  : "offline";
		return decide(
			j, VERDICT_BLOCK, REASON_SWITCH, rule, decide_generation(j, TOPIC_devices));
	}
	rule = find_cut(j);
	return rule && decide(j, VERDICT_BLOCK, REASON_SWITCH, rule,
			       decide_generation(j, TOPIC_device_prefs));
}

/* Step 0, after the switches. */
static bool judge_connectivity(struct judgement *j)
{
	const struct rec_strs *names = &directory_settings(j->p->dir)->connectivity_checks;

	for (size_t i = 0; i < names->n; i++) {
		if (is_host(j, names->v[i]))
			return decide(j, VERDICT_ALLOW, REASON_CONNECTIVITY, names->v[i],
				decide_generation(j, TOPIC_settings));
	}
	return false;
}

static bool on_better_rule(void *arg, const struct rule *rule)
{
	const struct rule **found = arg;

	if (policy_is_better(rule, *found))
		*found = rule;
	return true;
}

static bool judge_sni_block(struct judgement *j)
{
	static const struct rule_scope all = { "", "" };
	const struct rule *rule = NULL;

	policy_find_rules(j->p, RULES_SNI_BLOCK, &all, &j->subject, on_better_rule, &rule);
	return rule && decide(j, VERDICT_BLOCK, REASON_SNI_BLOCK, rule->pattern.text,
			       decide_generation(j, TOPIC_sni_block));
}

void decide_levels(const struct judgement *j, struct rule_scope out[static LEVELS])
{
	out[0] = (struct rule_scope){ "closed", "" };
	out[1] = (struct rule_scope){ "device:", j->dev->id };
	out[2] = (struct rule_scope){ "group:", j->dev->group ? j->dev->group : "" };
	out[3] = (struct rule_scope){ "", "" };
}

struct dns_rules {
	bool closed; /* whatever the records say */
	int64_t now_ms;
	const struct rule *block, *allow;
};

static bool on_dns_rule(void *arg, const struct rule *rule)
{
	struct dns_rules *d = arg;
	const struct rec_dns_rule *rec = ((const struct ruled *)rule->data)->rec;
	bool closed = d->closed || rec->head.closed;

	if (!closed && rec_has(rec, dns_rule, until) && rec->until <= d->now_ms)
		return true;
	return on_better_rule(closed || rec->action == ACTION_BLOCK ? &d->block : &d->allow, rule);
}

/* Device, group, everybody; block beats allow on one level. */
static bool judge_dns_rules(struct judgement *j)
{
	struct rule_scope levels[LEVELS];

	decide_levels(j, levels);
	for (int i = 0; i < LEVELS; i++) {
		struct dns_rules d = { .closed = i == 0, .now_ms = j->now_ms };
		policy_find_rules(j->p, RULES_DNS, &levels[i], &j->subject, on_dns_rule, &d);
		const struct rule *by = d.block ? d.block : d.allow;
		if (!by)
			continue;
		j->out->answer =
			((const struct rec_dns_rule *)((const struct ruled *)by->data)->rec)
				->answer;
		return decide(j, d.block ? VERDICT_BLOCK : VERDICT_ALLOW, REASON_DNS_RULE,
			by->pattern.text, decide_generation(j, TOPIC_dns_rules));
	}
	return false;
}

/* Step 8. */
static bool judge_unknown(struct judgement *j)
{
	return decide(j,
		j->dev->unknown_sites == UNKNOWN_SITES_PASS ? VERDICT_PASS : VERDICT_UNKNOWN,
		REASON_UNKNOWN, "", j->p->web_image.in_force);
}

static bool judge_default(struct judgement *j)
{
	return decide(j, VERDICT_ALLOW, REASON_DEFAULT, "", decide_generation(j, TOPIC_settings));
}

/* ---- paths ---- */

struct step {
	const char *name;
	bool (*judge)(struct judgement *j);
};

static const struct step proxy_steps[] = {
	{ "switches", judge_switches },
	{ "connectivity checks", judge_connectivity },
	{ "blocked names", judge_sni_block },
	{ "category security", judge_security },
	{ "overrides", judge_overrides },
	{ "forced categories", judge_forced },
	{ "lists", judge_lists },
	{ "blocked categories", judge_blocked_category },
	{ "allowed categories", judge_allowed_category },
	{ "needed by an allowed site", judge_needed },
	{ "not reviewed", judge_unknown },
	{ NULL, NULL },
};

static const struct step intercept_steps[] = {
	{ "switches", judge_switches },
	{ "connectivity checks", judge_connectivity },
	{ "blocked names", judge_sni_block },
	{ "lists", judge_lists },
	{ "default", judge_default },
	{ NULL, NULL },
};

static const struct step dns_steps[] = {
	{ "switches", judge_switches },
	{ "connectivity checks", judge_connectivity },
	{ "DNS rules", judge_dns_rules },
	{ "lists", judge_lists },
	{ "default", judge_default },
	{ NULL, NULL },
};

/* With site_scope=all what is intercepted is judged like the browser's. */
static const struct step *steps_of(const struct judgement *j)
{
	if (j->q->path == POLICY_PATH_DNS)
		return dns_steps;
	if (j->q->path == POLICY_PATH_INTERCEPT && j->dev->site_scope != SITE_SCOPE_ALL)
		return intercept_steps;
	return proxy_steps;
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

static void clear(struct decision *out)
{
	*out = (struct decision){ .rule = "",
		.rule_id = "",
		.list = "",
		.list_title = "",
		.category = "",
		.category_id = "" };
}

static bool begin(struct judgement *j)
{
	clear(j->out);
	return j->dev && policy_is_known(j->p) && make_subject(j->p, j->q, &j->subject);
}

void policy_decide(struct policy *p, struct device_view *dev, const struct policy_query *q,
	int64_t now_ms, struct decision *out)
{
	struct judgement j = { .p = p, .dev = dev, .q = q, .now_ms = now_ms, .out = out };

	if (!begin(&j))
		return;
	const struct step *steps = steps_of(&j);
	for (const struct step *s = steps; s->judge && !s->judge(&j); s++)
		;
	if (steps == proxy_steps && out->reason > REASON_SWITCH)
		decide_media(&j);
}

void policy_explain(struct policy *p, struct device_view *dev, const struct policy_query *q,
	int64_t now_ms, policy_explain_fn *on_step, void *arg)
{
	struct decision out;
	struct judgement j = { .p = p, .dev = dev, .q = q, .now_ms = now_ms, .out = &out };

	if (!begin(&j)) {
		on_step(arg, "policy", true, &out);
		return;
	}
	for (const struct step *s = steps_of(&j); s->judge; s++) {
		clear(&out);
		bool decided = s->judge(&j);
		on_step(arg, s->name, decided, &out);
	}
}
