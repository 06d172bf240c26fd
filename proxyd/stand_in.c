/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/stand_in.h"
#include "common/policy/safe_search.h"
#include "common/timer.h"
#include "proxyd/judge.h"
#include <stdio.h>
#include <string.h>

static bool find_by_rule(
	struct proxy *p, struct device_view *dev, const char *host, struct stand_in *out)
{
	const struct policy_query q = {
		.path = POLICY_PATH_DNS,
		.host = host,
		.host_len = strlen(host),
	};
	struct target alias;
	struct decision d;

	policy_decide(p->policy, dev, &q, clock_wall_ms(), &d);
	if (!judge_is_allowed(&d) || d.reason != REASON_DNS_RULE || !d.answer)
		return false;
	out->count = addr_parse_list(d.answer, out->addrs, ADDR_LIST_MAX);
	if (!out->count && !target_parse_host(d.answer, 443, &alias))
		memcpy(out->name, alias.host, sizeof(out->name));
	return true;
}

/* Records of the admin's own stand above it, as in dnsd. */
static const char *find_restricted(
	const struct proxy *p, const struct device_view *dev, const char *host)
{
	const struct rec_safe_search *want = device_safe_search(dev);
	enum safe_form form = want ? safe_search_find(want, host, strlen(host)) : SAFE_FORMS;

	if (form == SAFE_FORMS || own_names_has_address(&p->guard.names, host))
		return NULL;
	return safe_search_target(form);
}

void stand_in_find(struct proxy *p, struct device_view *dev, const char *host, struct stand_in *out)
{
	const char *restricted;

	out->count = 0;
	snprintf(out->name, sizeof(out->name), "%s", host);
	if (!dev || find_by_rule(p, dev, host, out))
		return;
	restricted = find_restricted(p, dev, host);
	if (restricted)
		snprintf(out->name, sizeof(out->name), "%s", restricted);
}

static uint64_t add_bytes(uint64_t tag, const void *data, size_t len)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < len; i++)
		tag = (tag ^ at[i]) * 0x100000001b3; /* FNV-1a: nobody gains by a collision */
	return tag;
}

uint64_t stand_in_tag(struct proxy *p, struct device_view *dev, const char *host)
{
	uint64_t tag = 0xcbf29ce484222325;
	struct stand_in s;

	stand_in_find(p, dev, host, &s);
	if (!s.count)
		return add_bytes(tag, s.name, strlen(s.name));
	for (size_t i = 0; i < s.count; i++)
		tag = add_bytes(tag, s.addrs[i].bytes, addr_len(&s.addrs[i]));
	return tag;
}
