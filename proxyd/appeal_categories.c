/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/appeal_categories.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct collector {
	struct appeal_categories *to;
	enum appeal_mode mode;
	size_t cap;
	int err;
};

static const struct appeal_category built_in[] = {
	{ "education", "Education", 1 },
	{ "news", "News", 2 },
	{ "shopping", "Shopping", 3 },
	{ "social", "Social", 4 },
	{ "video", "Video", 5 },
	{ "games", "Games", 6 },
	{ "business", "Business", 7 },
	{ "health", "Health", 8 },
	{ "other", "Other", 9 },
};

static int add(struct collector *c, const struct appeal_category *one)
{
	struct appeal_categories *to = c->to;

	if (to->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 32;
		void *more = realloc(to->v, cap * sizeof(*to->v));
		if (!more)
			return -ENOMEM;
		to->v = more;
		c->cap = cap;
	}
	to->v[to->n++] = *one;
	return 0;
}

static bool is_offered(const struct rec_category *c, enum appeal_mode mode)
{
	int visibility = rec_has(c, category, visibility) ? c->visibility : VISIBILITY_PUBLIC;

	if (c->head.closed)
		return false;
	if (mode == APPEAL_MODE_REPORT)
		return visibility == VISIBILITY_REPORT;
	return visibility == VISIBILITY_PUBLIC || visibility == VISIBILITY_MORE;
}

static void on_category(void *arg, const struct rec_category *category)
{
	struct collector *c = arg;
	const struct appeal_category one = { category->id,
		category->name && *category->name ? category->name : category->id,
		category->sort_order };

	if (!c->err && is_offered(category, c->mode))
		c->err = add(c, &one);
}

static int compare(const void *a, const void *b)
{
	const struct appeal_category *x = a, *y = b;
	int by_name;

	if (x->sort_order != y->sort_order)
		return x->sort_order < y->sort_order ? -1 : 1;
	by_name = strcmp(x->name, y->name);
	return by_name ? by_name : strcmp(x->id, y->id);
}

static void add_built_in(struct collector *c)
{
	for (size_t i = 0; !c->err && i < sizeof(built_in) / sizeof(*built_in); i++)
		c->err = add(c, &built_in[i]);
}

int appeal_categories_init(
	struct appeal_categories *c, const struct policy *policy, enum appeal_mode mode)
{
	struct collector collector = { .to = c, .mode = mode };

	c->v = NULL;
	c->n = 0;
	if (mode == APPEAL_MODE_APPEAL)
		return 0;
	policy_categories_each(policy, on_category, &collector);
	if (!c->n)
		add_built_in(&collector);
	if (collector.err) {
		appeal_categories_fini(c);
		return collector.err;
	}
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), compare);
	return 0;
}

void appeal_categories_fini(struct appeal_categories *c)
{
	free(c->v);
	c->v = NULL;
	c->n = 0;
}

bool appeal_categories_has(const struct appeal_categories *c, const char *id)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->v[i].id, id))
			return true;
	}
	return false;
}
