/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/store.h"
#include <string.h>

void policy_webset_fini(struct policy *p)
{
	if (p->webset_loaded)
		webset_close(&p->webset);
}

int policy_webset_load(struct policy *p, const char *path)
{
	struct webset fresh;
	int err = webset_open_file(path, &fresh);

	if (err)
		return err;
	policy_webset_fini(p);
	p->webset = fresh;
	p->webset_loaded = true;
	return 0;
}

static void on_webset(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct policy *p = arg;
	const struct rec_webset *w = rec;

	(void)topic;
	(void)owner;
	/* A set that is gone leaves the last good in force. */
	if (!strcmp(id, "main") && w)
		policy_image_want(&p->web_image, w->blob);
}

static void on_webset_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct policy *p = arg;

	(void)topic;
	(void)owner;
	policy_image_settle(&p->web_image, gen);
}

const struct bus_topic_ops policy_webset_ops = { on_webset, on_webset_end };
