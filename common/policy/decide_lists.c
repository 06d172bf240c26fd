/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Step 5: the lists that are on now. */
#include "common/policy/decide.h"
#include "common/policy/schedule.h"
#include <string.h>

static bool is_off(const struct device_view *d, const char *list)
{
	for (size_t i = 0; i < d->lists_off.n; i++)
		if (!strcmp(list, d->lists_off.v[i]))
			return true;
	return false;
}

/* A list that the device has schedules for is on in their windows and off between them. */
static void apply_schedules(struct device_view *d, const char *list, uint64_t bit)
{
	bool scheduled = false, now = false;

	for (size_t i = 0; i < d->schedule_count; i++) {
		const char *its = schedule_list(&d->schedules[i]);
		if (!its || strcmp(its, list) != 0)
			continue;
		scheduled = true;
		now |= d->schedules_now >> i & 1;
	}
	if (scheduled)
		d->lists_off_mask = now ? d->lists_off_mask & ~bit : d->lists_off_mask | bit;
}

/* The bits of lists that are on for the device; computed when the set or the device changed. */
static uint64_t lists_on(const struct policy *p, struct device_view *d)
{
	if (d->lists_off_version != p->set_version) {
		d->lists_off_mask = p->lists_default_off;
		for (int i = 0; i < 64; i++) {
			if (!p->lists[i])
				continue;
			if (is_off(d, p->lists[i]))
				d->lists_off_mask |= 1ULL << i;
			apply_schedules(d, p->lists[i], 1ULL << i);
		}
		d->lists_off_version = p->set_version;
	}
	return p->lists_used & ~d->lists_off_mask;
}

static bool decide_list(struct judgement *j, uint64_t lists, const char *rule)
{
	const struct policy *p = j->p;

	j->out->lists = lists;
	j->out->list = p->lists[__builtin_ctzll(lists)];
	j->out->list_title = policy_list_title(p, j->out->list);
	return decide(j, VERDICT_BLOCK, REASON_LIST, rule, p->set_image.in_force);
}

bool judge_lists(struct judgement *j)
{
	struct domainset_hit hit;
	uint64_t on = lists_on(j->p, j->dev);

	domainset_find(&j->p->set, j->q->host, j->q->host_len, on, &hit);
	/* Where the URL is known, prefixes decide for themselves. */
	if (j->subject.url)
		hit.blocked &= ~hit.paths;
	if (hit.blocked)
		return decide_list(j, hit.blocked, j->q->host + hit.offset);
	if (j->subject.url) {
		find_sites(j);
		uint64_t by_url = j->sites.lists & on & ~hit.excepted;
		if (by_url)
			return decide_list(j, by_url, j->sites.list_rule[__builtin_ctzll(by_url)]);
	}
	if (hit.excepted)
		j->out->reason = REASON_LIST_EXCEPTION;
	return false;
}

struct path_search {
	const struct policy *p;
	uint64_t on;
};

static bool is_list_on(void *arg, const char *list)
{
	const struct path_search *s = arg;

	for (uint64_t left = s->on; left; left &= left - 1) {
		if (!strcmp(s->p->lists[__builtin_ctzll(left)], list))
			return true;
	}
	return false;
}

bool policy_has_list_paths(struct policy *p, struct device_view *dev, const char *host, size_t len)
{
	struct path_search s = { p, lists_on(p, dev) };

	if (!s.on)
		return false;
	return !p->webset_loaded || webset_find_list_urls(&p->webset, host, len, is_list_on, &s);
}

bool policy_has_lists_on(struct policy *p, struct device_view *dev)
{
	return lists_on(p, dev);
}

bool policy_has_lists_by_address_on(struct policy *p, struct device_view *dev)
{
	return lists_on(p, dev) & p->lists_by_address;
}
