/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void policy_webset_fini(struct policy *p)
{
	if (p->webset_loaded)
		webset_close(&p->webset);
}

static int open_image(const char *path, void **out)
{
	struct webset *fresh = calloc(1, sizeof(*fresh));
	int err = fresh ? webset_open_file(path, fresh) : -ENOMEM;

	if (err)
		free(fresh);
	else
		*out = fresh;
	return err;
}

static void close_image(void *opened)
{
	webset_close(opened);
	free(opened);
}

/* The old one goes back in the new one's memory. */
static void swap_image(struct policy *p, void *opened, void **old)
{
	struct webset *fresh = opened, before = p->webset;

	p->webset = *fresh;
	*fresh = before;
	*old = p->webset_loaded ? fresh : NULL;
	if (!p->webset_loaded)
		free(fresh);
	p->webset_loaded = true;
}

const struct policy_image_ops policy_webset_image_ops = {
	.topic = TOPIC_webset,
	.name = "web set",
	.open = open_image,
	.swap = swap_image,
	.close = close_image,
};

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
