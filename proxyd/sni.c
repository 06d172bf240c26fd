/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/sni.h"
#include "common/timer.h"
#include <string.h>

static const char *const ech_public[] = {
	"cloudflare-ech.com", /* all sites at Cloudflare */
	"public.tls-ech.dev",
	"cover.defo.ie",
};

bool sni_is_ech_public(const struct proxy *p, const char *host)
{
	uint64_t lists;

	for (size_t i = 0; i < sizeof(ech_public) / sizeof(ech_public[0]); i++) {
		if (!strcmp(host, ech_public[i]))
			return true;
	}
	lists = policy_lists_with(p->policy, host, strlen(host));
	for (; lists; lists &= lists - 1) {
		const char *id = policy_list_id(p->policy, (unsigned)__builtin_ctzll(lists));
		if (id && !strcmp(id, "ech"))
			return true;
	}
	return false;
}

const char *sni_find_obstacle(struct proxy *p, struct device_view *dev,
	const struct sni_question *q, int64_t now_ms, struct decision *d)
{
	const struct policy_query query = {
		.path = POLICY_PATH_INTERCEPT,
		.host = q->host,
		.host_len = strlen(q->host),
	};

	if (!dev)
		return "unknown device";
	if (q->has_dot)
		return "encrypted dns";
	policy_decide(p->policy, dev, &query, now_ms, d);
	if (d->verdict != VERDICT_ALLOW && d->verdict != VERDICT_PASS)
		return "";
	if (d->reason != REASON_CONNECTIVITY && canary_find(&p->canary, q->host, query.host_len))
		return "encrypted dns";
	if (!q->has_ech ||
		(dev->site_scope != SITE_SCOPE_ALL && !policy_has_lists_on(p->policy, dev)))
		return NULL;
	return sni_is_ech_public(p, q->host) ? "hidden name" : NULL;
}

static const char *find_obstacle(struct proxy *p, const struct sni_question *q, struct decision *d)
{
	return sni_find_obstacle(p, proxy_device(p, &q->device), q, clock_wall_ms(), d);
}

bool sni_is_allowed(struct proxy *p, const struct sni_question *q)
{
	struct decision d;

	return !find_obstacle(p, q, &d);
}

bool sni_judge(struct proxy *p, const struct sni_question *q, struct access *access)
{
	struct decision d;
	const char *obstacle = find_obstacle(p, q, &d);

	if (obstacle && *obstacle)
		access_refuse(access, p, obstacle);
	else
		access_judge(access, p, &d);
	return !obstacle;
}
