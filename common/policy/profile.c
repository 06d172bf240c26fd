/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/profile.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 2048 /* of the kernel, per profile */ };

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

/* ---- one flow ---- */

static bool has_address(const struct profile_rule *r, const struct addr *to)
{
	for (size_t i = 0; i < r->prefix_count; i++) {
		if (prefix_contains(&r->prefixes[i], to))
			return true;
	}
	return !r->prefix_count;
}

static bool has_service(const struct profile_rule *r, uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < r->port_count; i++) {
		const struct port_range *range = &r->ports[i];

		if (range->protocol == protocol && range->from <= port && port <= range->to)
			return true;
	}
	return !r->port_count &&
	       (!r->protocol_count || memchr(r->protocols, protocol, r->protocol_count));
}

bool profile_allows(const struct profile *p, const struct addr *to, uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct profile_rule *r = &p->rules[i];

		if (has_address(r, to) && has_service(r, protocol, port))
			return r->allow;
	}
	return false;
}
