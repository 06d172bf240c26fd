/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/profile.h"

#include "fwd/marks.h"
#include "fwd/reason.h"
#include "fwd/rule_sets.h"
#include "fwd/special.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct profile_entry {
	unsigned id;
	struct profile def;
};

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
