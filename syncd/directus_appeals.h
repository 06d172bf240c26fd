/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/directus_client.h"
#include "syncd/mapping.h"

/*
 * Appeals on their way to Directus (S5), one at a time: an appeal of mode `appeal` to vpn_appeals,
 * review and report to website_appeals. The uuid's field is unique there: one that is there already
 * has been delivered before. What Directus refuses is tried again later, the others go on.
 */
struct directus_appeals_ops {
	/* Directus has it. */
	void (*on_stored)(void *arg, const char *entry, const char *uuid);
	void (*on_alarm)(void *arg, const char *what, const char *detail);
};

struct directus_appeals {
	struct directus_client *client;
	const struct mapping *mapping;
	const struct directus_appeals_ops *ops;
	void *arg;
	struct list waiting; /* struct appeal, in the order of their coming */
	size_t count;
	struct appeal *sent; /* under way, NULL = none; still in waiting */
	struct timer timer;
	unsigned failures; /* in a row */
	char error[192];   /* "" = the last one went well */
	uint64_t stored;
	bool closing;
};

void directus_appeals_open(struct directus_appeals *a, struct directus_client *client,
	const struct mapping *mapping, uv_loop_t *loop, const struct directus_appeals_ops *ops,
	void *arg);
/* entry: the queue's name of the message, given back by on_stored. 0; -EINVAL: no appeal; -ENOMEM:
 * the queue delivers it again after a restart. */
int directus_appeals_add(struct directus_appeals *a, const char *entry, const cJSON *record);
void directus_appeals_report(const struct directus_appeals *a, cJSON *status);
/* Before the client's close. */
void directus_appeals_close(struct directus_appeals *a);
void directus_appeals_fini(struct directus_appeals *a);
