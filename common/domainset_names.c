/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/domainset_build.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdlib.h>

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static void sort_group(struct entry *e, size_t n)
{
	/* Groups are small because the hash is even; many equal names make large ones. */
	if (n > 48) {
		qsort(e, n, sizeof(*e), compare_entries);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct entry x = e[i];
		size_t j = i;

		/* The dealing pass has filled every entry.
		 * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		for (; j && e[j - 1].hash > x.hash; j--)
			e[j] = e[j - 1];
		e[j] = x;
	}
}

/* A pass that deals out by the high bits, then small sorts. */
int domainset_sort(struct entry **entries, size_t n)
{
	unsigned bits = 1;
	uint32_t *start;
	struct entry *out;

	while (bits < 24 && (8u << bits) < n)
		bits++;
	start = calloc((1u << bits) + 1, sizeof(*start));
	out = malloc((n ? n : 1) * sizeof(*out));
	if (!start || !out) {
		free(start);
		free(out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		start[((*entries)[i].hash >> (64 - bits)) + 1]++;
	for (size_t i = 1; i <= 1u << bits; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < n; i++)
		out[start[(*entries)[i].hash >> (64 - bits)]++] = (*entries)[i];
	for (size_t i = 0, from = 0; i < 1u << bits; from = start[i++])
		sort_group(out + from, start[i] - from);
	free(start);
	free(*entries);
	*entries = out;
	return 0;
}

static int grow_classes(struct plan *p, const uint8_t key[static 16])
{
	size_t cap = p->class_cap ? p->class_cap * 2 : 64;
	void *classes = realloc(p->classes, cap * sizeof(*p->classes));
	uint32_t *uses, *hash;

	if (!classes)
		return -ENOMEM;
	p->classes = classes;
	uses = realloc(p->uses, cap * sizeof(*uses));
	if (!uses)
		return -ENOMEM;
	p->uses = uses;
	hash = calloc(cap * 2, sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	free(p->class_hash);
	p->class_hash = hash;
	p->class_cap = cap;
	p->class_hash_cap = cap * 2;
	for (size_t i = 0; i < p->class_count; i++) {
		size_t at = siphash13(key, &p->classes[i], sizeof(p->classes[i]));

		while (hash[at & (p->class_hash_cap - 1)])
			at++;
		hash[at & (p->class_hash_cap - 1)] = (uint32_t)i + 1;
	}
	return 0;
}

/* The class's number in the plan, made if it is new; -ENOMEM. */
static int64_t intern_class(
	struct plan *p, const uint8_t key[static 16], const struct domainset_class *c)
{
	size_t at = siphash13(key, c, sizeof(*c));
	uint32_t i;

	if (p->class_count == p->class_cap && grow_classes(p, key))
		return -ENOMEM;
	for (; (i = p->class_hash[at & (p->class_hash_cap - 1)]); at++) {
		if (!memcmp(&p->classes[i - 1], c, sizeof(*c)))
			return i - 1;
	}
	p->class_hash[at & (p->class_hash_cap - 1)] = (uint32_t)p->class_count + 1;
	p->classes[p->class_count] = *c;
	p->uses[p->class_count] = 0;
	return (int64_t)p->class_count++;
}

int domainset_plan_names(struct plan *p, const struct domainset_builder *b)
{
	int64_t class = -1;

	p->names = malloc((b->count ? b->count : 1) * sizeof(*p->names));
	if (!p->names)
		return -ENOMEM;
	for (size_t i = 0, next; i < b->count; i = next) {
		struct domainset_class c = { 0 };

		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		for (next = i; next < b->count && b->entries[next].hash == b->entries[i].hash;
			next++)
			domainset_class_add(&c, b->entries[next].list, b->entries[next].kind,
				b->entries[next].exception);
		/* Neighbours are mostly of one class. */
		if (class < 0 || memcmp(&p->classes[class], &c, sizeof(c)))
			class = intern_class(p, b->key, &c);
		if (class < 0)
			return (int)class;
		p->uses[class]++;
		p->names[p->name_count++] = (struct name){
			.hash = b->entries[i].hash, .class = (uint32_t) class, .entry = (uint32_t)i
		};
	}
	return 0;
}

struct rank {
	struct domainset_class class;
	uint32_t uses, index;
};

/* Frequent first. */
static int compare_ranks(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->uses != y->uses)
		return x->uses > y->uses ? -1 : 1;
	return memcmp(&x->class, &y->class, sizeof(x->class));
}

int domainset_plan_numbers(struct plan *p)
{
	struct rank *r = malloc((p->class_count + 1) * sizeof(*r));

	p->number = malloc((p->class_count + 1) * sizeof(*p->number));
	if (!r || !p->number) {
		free(r);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->class_count; i++)
		r[i] = (struct rank){ p->classes[i], p->uses[i], (uint32_t)i };
	qsort(r, p->class_count, sizeof(*r), compare_ranks);
	for (size_t i = 0; i < p->class_count; i++)
		p->number[r[i].index] = (uint32_t)i + 1;
	free(r);
	return 0;
}
