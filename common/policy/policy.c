/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/policy.h"
#include "common/policy/store.h"
#include <stdlib.h>

static const struct {
	enum bus_topic topic;
	unsigned owners;
	const struct bus_topic_ops *ops;
} topics[] = {
	{ TOPIC_categories, D_APID | D_SYNCD, &policy_category_ops },
	{ TOPIC_category_prefs, D_APID | D_SYNCD, &policy_pref_ops },
	{ TOPIC_site_overrides, D_APID | D_SYNCD, &policy_rule_ops },
	{ TOPIC_sni_block, D_APID | D_SYNCD, &policy_rule_ops },
	{ TOPIC_mitm_ignore, D_APID | D_SYNCD, &policy_rule_ops },
	{ TOPIC_dns_rules, D_APID, &policy_rule_ops },
	{ TOPIC_lists, D_SYNCD, &policy_list_ops },
	{ TOPIC_domainset, D_SYNCD, &policy_domainset_ops },
	{ TOPIC_webset, D_SYNCD, &policy_webset_ops },
};
#define TOPIC_COUNT (sizeof(topics) / sizeof(topics[0]))

void policy_changed(struct policy *p, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	if (p->on_change)
		p->on_change(p->arg);
	bus_topic_applied(p->bus, topic, owner, gen);
}

static int subscribe(struct policy *p)
{
	int err = 0;

	for (size_t i = 0; i < TOPIC_COUNT && !err; i++) {
		for (int owner = 0; owner < BUS_DAEMONS && !err; owner++) {
			if ((topics[i].owners >> owner) & 1)
				err = bus_subscribe(p->bus, topics[i].topic, (enum bus_daemon)owner,
					topics[i].ops, p);
		}
	}
	return err;
}

static void on_closed(struct timer *t)
{
	struct policy_image *im = t->data;
	struct policy *p = im->policy;

	if (!--p->closing)
		free(p);
}

static int init_images(struct policy *p, uv_loop_t *loop)
{
	p->set_image = (struct policy_image){ .policy = p, .ops = &policy_set_image_ops };
	p->web_image = (struct policy_image){ .policy = p, .ops = &policy_webset_image_ops };
	int err = policy_image_init(&p->set_image, loop);
	if (err)
		return err;
	err = policy_image_init(&p->web_image, loop);
	if (err)
		return err;
	p->closing = 2;
	return 0;
}

struct policy *policy_open(uv_loop_t *loop, struct bus *bus, struct directory *dir,
	void (*on_change)(void *arg), void *arg)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (init_images(p, loop)) {
		free(p);
		return NULL;
	}
	p->bus = bus;
	p->dir = dir;
	p->arg = arg;
	policy_stores_init(p);
	/* Callbacks during the subscription itself tell the caller nothing it could not ask. */
	if (subscribe(p)) {
		policy_close(p);
		return NULL;
	}
	p->on_change = on_change;
	return p;
}

void policy_close(struct policy *p)
{
	policy_lists_fini(p);
	policy_webset_fini(p);
	policy_stores_fini(p);
	policy_image_close(&p->set_image, on_closed);
	policy_image_close(&p->web_image, on_closed);
}

bool policy_is_known(const struct policy *p)
{
	bool directus = directory_settings(p->dir)->policy_source == POLICY_SOURCE_DIRECTUS;

	if (!directory_is_known(p->dir) || !p->set_loaded || !p->webset_loaded)
		return false;
	for (size_t i = 0; i < TOPIC_COUNT; i++) {
		bool local = topics[i].owners & D_APID;
		if (local && !bus_topic_is_known(p->bus, topics[i].topic, BUS_APID))
			return false;
		if ((topics[i].owners & D_SYNCD) && (!local || directus) &&
			!bus_topic_is_known(p->bus, topics[i].topic, BUS_SYNCD))
			return false;
	}
	return true;
}
