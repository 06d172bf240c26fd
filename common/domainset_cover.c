/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names whose rules change nothing: `ads.example.com` where the same lists have `example.com` with
 * all below. Most names have none above them that covers anything, which a bitmap tells before
 * anything is searched for.
 */
#include "common/domainset_build.h"
#include <errno.h>
#include <stdlib.h>

int domainset_mark(struct domainset_builder *b)
{
	unsigned bits = 10;
	uint64_t *map;

	while (bits < 30 && 1ULL << bits < b->count * 12ULL)
		bits++;
	map = calloc((size_t)1 << (bits - 6), sizeof(*map));
	if (!map)
		return -ENOMEM;
	for (size_t i = 0; i < b->count; i++) {
		const struct entry *e = &b->entries[i];
		uint64_t at = e->hash >> (64 - bits);

		if (e->kind != DOMAINSET_EXACT && e->kind != DOMAINSET_EXACT_PATHS)
			map[at >> 6] |= 1ULL << (at & 63);
	}
	for (size_t i = 0; i < b->count; i++) {
		struct entry *e = &b->entries[i];

		for (unsigned k = 0; k < e->above; k++) {
			uint64_t at = b->lines[e->line + k] >> (64 - bits);

			e->may_be_covered |= map[at >> 6] >> (at & 63) & 1;
		}
	}
	free(map);
	return 0;
}

/* Where the names start whose hashes have the same high bits. */
struct index {
	uint32_t *start;
	unsigned bits;
};

static int index_init(struct index *x, const struct plan *p)
{
	x->bits = 1;
	while (x->bits < 24 && (4u << x->bits) < p->name_count)
		x->bits++;
	x->start = calloc(((size_t)1 << x->bits) + 2, sizeof(*x->start));
	if (!x->start)
		return -ENOMEM;
	for (size_t i = 0; i < p->name_count; i++)
		x->start[(p->names[i].hash >> (64 - x->bits)) + 1]++;
	for (size_t i = 1; i <= (size_t)1 << x->bits; i++)
		x->start[i] += x->start[i - 1];
	return 0;
}

static const struct name *find_name(const struct plan *p, const struct index *x, uint64_t hash)
{
	uint64_t group = hash >> (64 - x->bits);

	for (uint32_t i = x->start[group]; i < x->start[group + 1]; i++) {
		if (p->names[i].hash == hash)
			return &p->names[i];
	}
	return NULL;
}

static bool is_same(const struct domainset_state *a, const struct domainset_state *b)
{
	return a->whole == b->whole && a->paths == b->paths && a->excepted == b->excepted;
}

/*
 * Does the name leave both what is said of it and what is said below it as they are? The names
 * above count whether they are covered or not, since leaving those out changes nothing either. The
 * top-level domain may be missed: each bit that the name repeats stands in a name above it, which
 * hides what the top-level domain says.
 */
static bool is_covered(const struct plan *p, const struct index *x,
	const struct domainset_builder *b, const struct name *n)
{
	const struct entry *e = &b->entries[n->entry];
	const struct domainset_class *c = &p->classes[n->class];
	struct domainset_state above = { 0 }, self, below;

	for (unsigned k = 0; k < e->above; k++) {
		const struct name *a = find_name(p, x, b->lines[e->line + k]);
		const struct domainset_class *d = a ? &p->classes[a->class] : NULL;

		if (d)
			domainset_step(&above, d->block_below, d->paths_below, d->except_below);
	}
	self = below = above;
	/* A name has a class, so there is a table of them.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	domainset_step(&self, c->block_self, c->paths_self, c->except_self);
	domainset_step(&below, c->block_below, c->paths_below, c->except_below);
	return is_same(&self, &above) && is_same(&below, &above);
}

int domainset_plan_covered(struct plan *p, const struct domainset_builder *b)
{
	struct index x = { 0 };
	int err = 0;

	for (size_t i = 0; i < p->name_count; i++) {
		if (!b->entries[p->names[i].entry].may_be_covered)
			continue;
		if (!x.start) {
			err = index_init(&x, p);
			if (err)
				return err;
		}
		if (is_covered(p, &x, b, &p->names[i])) {
			p->names[i].covered = 1;
			p->covered_count++;
		}
	}
	free(x.start);
	return err;
}
