/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/profile.h"

#include "fwd/marks.h"
#include "fwd/reason.h"
#include "fwd/rule_sets.h"
#include "fwd/special.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 2048 /* of the kernel, per profile */ };

struct profile_entry {
	unsigned id;
	struct profile def;
};

static const struct protocol_name {
	const char *text;
	uint8_t number;
	bool has_ports;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, true },
	{ "udp", IPPROTO_UDP, true },
	{ "icmp", IPPROTO_ICMP, false },
	{ "icmpv6", IPPROTO_ICMPV6, false },
	{ "esp", IPPROTO_ESP, false },
	{ "ah", IPPROTO_AH, false },
	{ "gre", IPPROTO_GRE, false },
	{ "sctp", IPPROTO_SCTP, false },
};

static const struct protocol_name *find_protocol(const char *text)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (!strcmp(protocols[i].text, text))
			return &protocols[i];
	return NULL;
}

static int parse_port(const char **text, uint16_t *out)
{
	char *end;
	if (**text < '0' || **text > '9')
		return -EINVAL;
	unsigned long value = strtoul(*text, &end, 10);
	if (value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*text = end;
	*out = (uint16_t)value;
	return 0;
}

/* "80" or "1000-2000". */
static int parse_port_range(const char *text, struct port_range *out)
{
	if (parse_port(&text, &out->from))
		return -EINVAL;
	out->to = out->from;
	if (*text == '-') {
		text++;
		if (parse_port(&text, &out->to))
			return -EINVAL;
	}
	return *text || out->to < out->from ? -EINVAL : 0;
}

static int parse_prefixes(
	const struct rec_strs *in, struct profile_rule *out, char *why, size_t len)
{
	out->prefixes = calloc(in->n ? in->n : 1, sizeof(*out->prefixes));
	if (!out->prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < in->n; i++) {
		if (prefix_parse(in->v[i], &out->prefixes[i])) {
			snprintf(why, len, "prefix %s", in->v[i]);
			return -EINVAL;
		}
		out->prefix_count++;
	}
	return 0;
}

static int parse_ports(const struct rec_strs *ports, const uint8_t *with, size_t with_count,
	struct profile_rule *out, char *why, size_t len)
{
	out->ports = calloc(ports->n * with_count, sizeof(*out->ports));
	if (!out->ports)
		return -ENOMEM;
	for (size_t i = 0; i < ports->n; i++) {
		struct port_range one = { 0 };
		if (parse_port_range(ports->v[i], &one)) {
			snprintf(why, len, "port %s", ports->v[i]);
			return -EINVAL;
		}
		for (size_t k = 0; k < with_count; k++) {
			one.protocol = with[k];
			out->ports[out->port_count++] = one;
		}
	}
	return 0;
}

static int parse_rule(
	const struct rec_profile_rule *in, struct profile_rule *out, char *why, size_t len)
{
	static const uint8_t both[] = { IPPROTO_TCP, IPPROTO_UDP };
	*out = (struct profile_rule){ .allow = in->action == ACTION_ALLOW };
	int err = parse_prefixes(&in->prefixes, out, why, len);
	bool all_have_ports = true;
	for (size_t i = 0; i < in->protocols.n && !err; i++) {
		const struct protocol_name *p = find_protocol(in->protocols.v[i]);
		if (!p || out->protocol_count == sizeof(out->protocols)) {
			snprintf(why, len, "protocol %s", in->protocols.v[i]);
			return -EINVAL;
		}
		all_have_ports = all_have_ports && p->has_ports;
		out->protocols[out->protocol_count++] = p->number;
	}
	if (err || in->ports.n == 0)
		return err;
	if (!all_have_ports) {
		snprintf(why, len, "ports of a protocol that has none");
		return -EINVAL;
	}
	bool named = out->protocol_count > 0;
	return parse_ports(&in->ports, named ? out->protocols : both,
		named ? out->protocol_count : sizeof(both), out, why, len);
}

static size_t kernel_rules(const struct profile_rule *r)
{
	size_t services = r->port_count ? r->port_count : r->protocol_count;
	size_t prefixes = r->prefix_count;
	for (size_t i = 0; i < r->prefix_count; i++)
		prefixes += r->prefixes[i].addr.family == AF_INET;
	return (prefixes ? prefixes : 1) * (services ? services : 1);
}

int profile_parse(const struct rec_profile *rec, struct profile *out, char *why, size_t why_len)
{
	*out = (struct profile){ .rules = calloc(
					 rec->rules.n ? rec->rules.n : 1, sizeof(*out->rules)) };
	if (!out->rules)
		return -ENOMEM;
	int err = rec->head.closed ? -EINVAL : 0;
	if (err)
		snprintf(why, why_len, "wrong field");
	size_t total = 0;
	for (size_t i = 0; i < rec->rules.n && !err; i++) {
		const struct rec_profile_rule *in = &rec->rules.v[i];
		out->count++;
		if (in->head.closed || !rec_has(in, profile_rule, action)) {
			snprintf(why, why_len, "rule %zu: action or another field is wrong", i);
			err = -EINVAL;
			break;
		}
		err = parse_rule(in, &out->rules[i], why, why_len);
		total += err ? 0 : kernel_rules(&out->rules[i]);
		if (total > RULES_MAX) {
			snprintf(why, why_len, "more than %d combinations", RULES_MAX);
			err = -E2BIG;
		}
	}
	if (err)
		profile_fini(out);
	return err;
}

void profile_fini(struct profile *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->rules[i].prefixes);
		free(p->rules[i].ports);
	}
	free(p->rules);
	*p = (struct profile){ 0 };
}

/* ---- kernel rules ---- */

static void write_one(const struct profile_rule *rule, const struct prefix *to,
	const struct port_range *port, const uint8_t *protocol, struct rule_writer *r,
	const char *chain)
{
	rule_begin(r, chain);
	if (to)
		match_flow_daddr(r, to->addr.family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6,
			to->addr.bytes, to->len);
	if (port)
		match_flow_dport(r, port->protocol, port->from, port->to);
	else if (protocol)
		match_flow_protocol(r, *protocol);
	if (!rule->allow) {
		do_count(r, reason_name(REASON_PROFILE));
		do_change_mark(r, MARK_REASON, REASON_PROFILE << MARK_REASON_SHIFT);
	}
	do_goto(r, rule->allow ? "approve" : "refuse");
	rule_end(r);
}

static void write_services(const struct profile_rule *rule, const struct prefix *to,
	struct rule_writer *r, const char *chain)
{
	if (rule->port_count) {
		for (size_t i = 0; i < rule->port_count; i++)
			write_one(rule, to, &rule->ports[i], NULL, r, chain);
	} else if (rule->protocol_count) {
		for (size_t i = 0; i < rule->protocol_count; i++)
			write_one(rule, to, NULL, &rule->protocols[i], r, chain);
	} else {
		write_one(rule, to, NULL, NULL, r, chain);
	}
}

void profile_write(const struct profile *p, struct rule_writer *r, const char *chain)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct profile_rule *rule = &p->rules[i];
		if (rule->prefix_count == 0)
			write_services(rule, NULL, r, chain);
		for (size_t k = 0; k < rule->prefix_count; k++) {
			const struct prefix *to = &rule->prefixes[k];
			write_services(rule, to, r, chain);
			if (to->addr.family != AF_INET)
				continue;
			/* The same destinations by way of a NAT64. */
			struct prefix nat64 = special_nat64(to);
			write_services(rule, &nat64, r, chain);
		}
	}
}

/* ---- by name ---- */

static unsigned find_builtin(const char *name)
{
	static const struct {
		const char *name;
		unsigned id;
	} builtin[] = { { "walled", PROFILE_WALLED }, { "full", PROFILE_FULL },
		{ "internet", PROFILE_INTERNET }, { "intranet", PROFILE_INTRANET } };
	for (size_t i = 0; i < sizeof(builtin) / sizeof(*builtin); i++)
		if (!strcmp(builtin[i].name, name))
			return builtin[i].id;
	return PROFILE_NONE;
}

static void free_entry(void *value)
{
	struct profile_entry *e = value;
	profile_fini(&e->def);
	free(e);
}

void profiles_init(struct profiles *p)
{
	*p = (struct profiles){ 0 };
	hmap_init(&p->by_name, free_entry);
}

void profiles_fini(struct profiles *p)
{
	hmap_fini(&p->by_name);
}

static unsigned free_id(struct profiles *p)
{
	enum { IDS = PROFILE_ADMIN_LAST - PROFILE_ADMIN_FIRST + 1 };
	for (unsigned i = 0; i < IDS; i++) {
		unsigned next = p->last < PROFILE_ADMIN_FIRST || p->last >= PROFILE_ADMIN_LAST
					? PROFILE_ADMIN_FIRST
					: p->last + 1;
		p->last = next;
		if (!p->used[next])
			return next;
	}
	return PROFILE_NONE;
}

void profiles_adopt(struct profiles *p, unsigned id)
{
	if (id > p->last && id <= PROFILE_ADMIN_LAST)
		p->last = id;
}

int profiles_set(struct profiles *p, const char *name, struct profile *def)
{
	struct profile_entry *e = hmap_find_str(&p->by_name, name);
	if (e) {
		profile_fini(&e->def);
		e->def = *def;
		return 0;
	}
	int err = find_builtin(name) != PROFILE_NONE ? -EEXIST : 0;
	unsigned id = free_id(p);
	if (!err && id == PROFILE_NONE)
		err = -ENOSPC;
	e = err ? NULL : calloc(1, sizeof(*e));
	if (!e) {
		profile_fini(def);
		return err ? err : -ENOMEM;
	}
	e->id = id;
	e->def = *def;
	err = hmap_set_str(&p->by_name, name, e);
	if (err)
		free_entry(e);
	else
		p->used[id] = 1;
	return err;
}

bool profiles_remove(struct profiles *p, const char *name)
{
	struct profile_entry *e = hmap_take_str(&p->by_name, name);
	if (!e)
		return false;
	p->used[e->id] = 0;
	free_entry(e);
	return true;
}

unsigned profiles_find(const struct profiles *p, const char *name)
{
	unsigned id = find_builtin(name);
	if (id != PROFILE_NONE)
		return id;
	const struct profile_entry *e = hmap_find_str(&p->by_name, name);
	return e ? e->id : PROFILE_WALLED;
}

const char *profiles_name(const struct profiles *p, unsigned id)
{
	hmap_foreach (&p->by_name, it) {
		const struct profile_entry *e = it.value;
		if (e->id == id)
			return it.key;
	}
	return NULL;
}

void profiles_each(const struct profiles *p,
	void (*on_profile)(void *arg, unsigned id, const struct profile *def), void *arg)
{
	hmap_foreach (&p->by_name, it) {
		const struct profile_entry *e = it.value;
		on_profile(arg, e->id, &e->def);
	}
}
