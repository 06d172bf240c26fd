/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/judge.h"

#include "dnsd/answer.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TARGETS_MAX  64
#define PORTAL_TTL_S 60
#define ALIAS_TTL_S  300

__attribute__((format(printf, 3, 4))) static void block(
	struct judgement *out, const struct block_how *how, const char *fmt, ...)
{
	va_list args;

	out->judged = JUDGED_BLOCK;
	out->how = *how;
	out->ede = EDE_BLOCKED;
	va_start(args, fmt);
	vsnprintf(out->text, sizeof(out->text), fmt, args);
	va_end(args);
}

static void block_as(struct judgement *out, enum block_mode mode, const char *text)
{
	struct block_how how = { .mode = mode };

	block(out, &how, "%s", text);
}

/* What is off for this device is what its people asked for (17, RFC 8914 4.18); the rest is the
 * gateway's policy (15). */
static void block_by_decision(
	const struct judge *j, const struct decision *d, const char *hop, struct judgement *out)
{
	const char *via = hop ? ", reached by " : "";

	if (d->list[0])
		block(out, &j->block, "list %s%s%s", d->list_title, via, hop ? hop : "");
	else
		block(out, &j->block, "%s%s%s", reason_text(d->reason), via, hop ? hop : "");
	snprintf(out->list, sizeof(out->list), "%s", d->list);
	if (d->reason == REASON_SWITCH)
		out->ede = EDE_FILTERED;
	if (!hop)
		out->lists = d->lists;
}

static void block_by_canary(const struct judge *j, enum canary_kind kind, struct judgement *out)
{
	switch (kind) {
	case CANARY_NONE:
		return;
	case CANARY_NXDOMAIN:
		block_as(out, BLOCK_NXDOMAIN, "the network filters DNS");
		return;
	case CANARY_NODATA:
		block_as(out, BLOCK_NODATA, "the network filters DNS");
		return;
	case CANARY_BLOCK:
		block(out, &j->block, "encrypted resolver");
		return;
	}
}

static bool parse_mode(const char *text, enum block_mode *out)
{
	static const char *const texts[] = {
		[BLOCK_NULL] = "null",
		[BLOCK_NXDOMAIN] = "nxdomain",
		[BLOCK_REFUSED] = "refused",
		[BLOCK_ADDRESS] = "",
		[BLOCK_NODATA] = "nodata",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (*texts[i] && !strcasecmp(text, texts[i])) {
			*out = (enum block_mode)i;
			return true;
		}
	}
	return false;
}

/* A DNS rule that names its answer: a block's mode or addresses; else addresses or an alias. */
static void answer_by_rule(const struct judge *j, const char *answer, struct judgement *out)
{
	size_t n = addr_parse_list(answer, out->own.addresses, ADDR_LIST_MAX), len;
	char text[NAME_TEXT_MAX];

	if (out->judged == JUDGED_BLOCK) {
		if (parse_mode(answer, &out->how.mode))
			return;
		out->how = (struct block_how){ n ? BLOCK_ADDRESS : j->block.mode,
			n ? out->own.addresses : j->block.addresses,
			n ? n : j->block.address_count };
		return;
	}
	out->own.address_count = n;
	out->own.ttl_s = ALIAS_TTL_S;
	if (n) {
		out->judged = JUDGED_OWN;
	} else if (!name_parse(answer, j->alias) && name_text(j->alias, text, &len) && len) {
		name_lower(j->alias);
		out->judged = JUDGED_ALIAS;
		out->alias = j->alias;
		out->alias_ttl_s = ALIAS_TTL_S;
	} else {
		block(out, &j->block, "a rule whose answer cannot be read");
	}
}

/* A name as policy sees it. */
struct subject {
	char text[NAME_TEXT_MAX];
	size_t len;
	bool is_hop; /* it stands in an answer, not in the question */
};

static void judge_name(const struct judge *j, struct device_view *v, const struct subject *s,
	int64_t now_ms, struct judgement *out)
{
	struct policy_query query = {
		.path = POLICY_PATH_DNS, .host = s->text, .host_len = s->len
	};
	struct decision decision;

	policy_decide(j->policy, v, &query, now_ms, &decision);
	bool passes = decision.verdict == VERDICT_ALLOW || decision.verdict == VERDICT_PASS;
	if (!passes && decision.reason == REASON_NO_POLICY) {
		out->judged = JUDGED_SILENCE;
		return;
	}
	if (!passes && decision.reason == REASON_SWITCH) {
		block_by_decision(j, &decision, NULL, out);
		return;
	}
	out->final = passes &&
		     (decision.reason == REASON_CONNECTIVITY || decision.reason == REASON_DNS_RULE);
	out->renewal = passes && decision.reason == REASON_SWITCH;
	out->final |= out->renewal;
	if (decision.reason != REASON_CONNECTIVITY || !passes) {
		block_by_canary(j, canary_find(j->canary, s->text, s->len), out);
		if (out->judged == JUDGED_BLOCK)
			return;
	}
	if (!passes)
		block_by_decision(j, &decision, s->is_hop ? s->text : NULL, out);
	if (decision.reason == REASON_DNS_RULE && decision.answer && !s->is_hop)
		answer_by_rule(j, decision.answer, out);
}

static bool is_portal(const struct judge *j, const struct subject *s)
{
	static const char wpad[] = "wpad"; /* where browsers look for proxy.pac */
	const char *host = j->portal_host;

	if (s->len == sizeof(wpad) - 1 && !strncasecmp(wpad, s->text, s->len))
		return true;
	return host && *host && strlen(host) == s->len && !strncasecmp(host, s->text, s->len);
}

/* The gateway's own addresses in the device's tunnel. */
static void answer_portal(const struct judge *j, const struct device_view *v, struct judgement *out)
{
	out->judged = JUDGED_OWN;
	out->final = true;
	out->own.ttl_s = PORTAL_TTL_S;
	for (size_t i = 0; i < j->shared->tunnel_count; i++) {
		const struct conf_tunnel *t = &j->shared->tunnels[i];
		if (v && v->tunnel && strcmp(t->name, v->tunnel) != 0)
			continue;
		for (size_t k = 0; k < t->addresses.n && out->own.address_count < 8; k++)
			out->own.addresses[out->own.address_count++] = t->addresses.v[k].addr;
	}
}

/* The admin's own records stand above the lists, not above switches and DNS rules. */
static void answer_records(
	const struct judge *j, const struct subject *s, uint16_t type, struct judgement *out)
{
	bool by_list = out->judged == JUDGED_BLOCK && out->lists;
	const struct record *first = records_find(j->records, s->text, s->len);
	const struct record *alias = record_alias(first);

	if (!first || (out->judged != JUDGED_PASS && !by_list))
		return;
	out->final = true;
	out->ede = EDE_NONE;
	if (alias && type != TYPE_CNAME) {
		out->judged = JUDGED_ALIAS;
		out->alias = &alias->target;
		out->alias_ttl_s = alias->ttl_s;
	} else {
		out->judged = JUDGED_OWN;
		out->own.records = first;
	}
}

static bool is_web_type(uint16_t type)
{
	return type == TYPE_A || type == TYPE_AAAA || type == TYPE_HTTPS || type == TYPE_CNAME;
}

static void restrict_search(const struct judge *j, const struct device_view *v,
	const struct subject *s, uint16_t type, struct judgement *out)
{
	const struct rec_safe_search *want = device_safe_search(v);
	const struct name *target = want && is_web_type(type)
					    ? safesearch_find(j->safesearch, want, s->text, s->len)
					    : NULL;

	if (!target)
		return;
	out->judged = JUDGED_ALIAS;
	out->alias = target;
	out->alias_ttl_s = ALIAS_TTL_S;
}

bool judge_gives_ipv6(const struct judge *j, const struct device_view *v)
{
	return !v || (j->has_ipv6 && v->v6);
}

static void judge_device(const struct judge *j, struct device_view *v, const struct subject *s,
	uint16_t type, int64_t now_ms, struct judgement *out)
{
	if (policy_is_known(j->policy) && is_portal(j, s)) {
		answer_portal(j, v, out);
		return;
	}
	judge_name(j, v, s, now_ms, out);
	answer_records(j, s, type, out);
	if (out->judged == JUDGED_PASS)
		restrict_search(j, v, s, type, out);
	bool asks_upstream = out->judged == JUDGED_PASS || out->judged == JUDGED_ALIAS;
	if (asks_upstream && type == TYPE_AAAA && !judge_gives_ipv6(j, v)) {
		block_as(out, BLOCK_NODATA, "no IPv6 here");
		out->ede = EDE_NONE;
	}
}

/* Once per query: what is not read unless set is left alone. */
static void begin(struct judgement *out)
{
	out->judged = JUDGED_PASS;
	out->ede = EDE_NONE;
	out->text[0] = out->list[0] = 0;
	out->lists = 0;
	out->final = out->renewal = out->drops_private = false;
	out->alias = NULL;
	out->own.records = NULL;
	out->own.address_count = 0;
}

void judge_question(const struct judge *j, struct device_view *v, const struct question *q,
	int64_t now_ms, struct judgement *out)
{
	struct subject s;

	begin(out);
	s.is_hop = false;
	bool is_plain = name_text(&q->name, s.text, &s.len);
	if (v && !is_plain)
		block(out, &j->block, "a name that cannot be judged");
	else if (v)
		judge_device(j, v, &s, q->type, now_ms, out);
	else if (is_plain && is_portal(j, &s))
		answer_portal(j, NULL, out);
	else if (is_plain)
		answer_records(j, &s, q->type, out);
}

static void judge_addresses(const struct judge *j, const struct question *q, const uint8_t *stored,
	size_t len, struct judgement *out)
{
	struct addr found = rebind_find(j->rebind, stored, len);
	char text[ADDR_STRLEN];
	struct subject s;

	if (!found.family || !name_text(&q->name, s.text, &s.len) ||
		rebind_is_exempt(j->settings, s.text, s.len))
		return;
	/* A hint is left out, and the address itself asked for and judged (D6). */
	if (q->type == TYPE_HTTPS || q->type == TYPE_SVCB) {
		out->drops_private = true;
		return;
	}
	addr_format(&found, text);
	block(out, &j->block, "rebinding, a public name leads to %s", text);
}

void judge_targets(const struct judge *j, struct device_view *v, const struct question *q,
	const uint8_t *stored, size_t len, int64_t now_ms, struct judgement *out)
{
	struct name target;
	size_t pos = 0;

	begin(out);
	for (unsigned n = 0; answer_next_target(stored, len, &pos, &target); n++) {
		struct subject s;
		s.is_hop = true;
		if (n == TARGETS_MAX) {
			block(out, &j->block, "too many aliases");
			return;
		}
		if (!name_text(&target, s.text, &s.len))
			block(out, &j->block, "an alias that cannot be judged");
		else
			judge_name(j, v, &s, now_ms, out);
		if (out->judged != JUDGED_PASS)
			return;
	}
	judge_addresses(j, q, stored, len, out);
}
