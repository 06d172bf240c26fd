/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/limits.h"

#include "fwd/objects.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct limit {
	struct list dirty;
	bool is_dirty, have;
	size_t elements; /* that name it */
	struct limit_value value;
	char name[LIMIT_NAME_LEN];
};

void limits_init(struct limits *l)
{
	hmap_init(&l->by_name, free);
	list_init(&l->dirty);
}

void limits_fini(struct limits *l)
{
	hmap_fini(&l->by_name);
}

/* Afterwards it may be gone. */
static void settle(struct limits *l, struct limit *x)
{
	bool dirty = x->have != (x->elements > 0);
	if (dirty != x->is_dirty) {
		x->is_dirty = dirty;
		if (dirty)
			list_add(&l->dirty, &x->dirty);
		else
			list_remove(&x->dirty);
	}
	if (!x->have && !x->elements) {
		char name[LIMIT_NAME_LEN];
		memcpy(name, x->name, sizeof(name));
		hmap_remove_str(&l->by_name, name);
	}
}

static struct limit *find_or_add(struct limits *l, const char *name)
{
	struct limit *x = hmap_find_str(&l->by_name, name);
	if (x)
		return x;
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	list_init(&x->dirty);
	memcpy(x->name, name, strnlen(name, sizeof(x->name) - 1));
	/* A foreign name stays without a rate: it is only ever deleted. */
	limit_name_parse(x->name, &x->value);
	if (hmap_set_str(&l->by_name, x->name, x)) {
		free(x);
		return NULL;
	}
	return x;
}

int limits_take(struct limits *l, const struct limit_value *v)
{
	char name[LIMIT_NAME_LEN];
	limit_name_format(v, name);
	struct limit *x = find_or_add(l, name);
	if (!x)
		return -ENOMEM;
	x->elements++;
	settle(l, x);
	return 0;
}

void limits_drop(struct limits *l, const struct limit_value *v)
{
	char name[LIMIT_NAME_LEN];
	limit_name_format(v, name);
	struct limit *x = hmap_find_str(&l->by_name, name);
	if (!x)
		return;
	x->elements--;
	settle(l, x);
}

bool limits_are_dirty(const struct limits *l)
{
	return !list_is_empty(&l->dirty);
}

void limits_forget(struct limits *l)
{
	hmap_foreach (&l->by_name, it) {
		struct limit *x = it.value;
		x->have = false;
		settle(l, x);
	}
}

struct loading {
	struct limits *limits;
	int err;
};

static void on_limit(void *arg, const char *name)
{
	struct loading *loading = arg;
	struct limit *x = strlen(name) < LIMIT_NAME_LEN ? find_or_add(loading->limits, name) : NULL;
	if (!x) {
		loading->err = -ENOMEM;
		return;
	}
	x->have = true;
	settle(loading->limits, x);
}

int limits_load(struct limits *l, struct nft *n)
{
	struct loading loading = { .limits = l };
	limits_forget(l);
	int err = nft_read_limits(n, on_limit, &loading);
	if (err == -ENOENT)
		err = 0;
	return err ? err : loading.err;
}

void limits_write_new(struct limits *l, struct nft_batch *b)
{
	list_foreach (&l->dirty, it) {
		const struct limit *x = container_of(it, struct limit, dirty);
		if (!x->have)
			object_write_limit(b, x->name, x->value.kbit * 125ULL);
	}
}

void limits_write_old(struct limits *l, struct nft_batch *b)
{
	list_foreach (&l->dirty, it) {
		const struct limit *x = container_of(it, struct limit, dirty);
		if (x->have)
			object_delete_limit(b, x->name);
	}
}

void limits_committed(struct limits *l)
{
	list_foreach_safe (&l->dirty, it) {
		struct limit *x = container_of(it, struct limit, dirty);
		x->have = x->elements > 0;
		settle(l, x);
	}
}
