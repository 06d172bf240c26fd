/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The domain set and its overlay against a naive model over the rules' text (SPEC P5, P6). */
#include "common/domainset.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 400, EDITS = 40, LABEL_WORDS = 5 };

struct rule {
	char name[64];
	unsigned list;
	enum domainset_kind kind;
	bool exception;
};

struct rules {
	struct rule v[RULES_MAX + EDITS * 2];
	size_t n;
};

static bool covers(const struct rule *r, const char *name)
{
	size_t a = strlen(r->name), b = strlen(name);

	if (a == b)
		return r->kind != DOMAINSET_BELOW && !strcmp(r->name, name);
	return r->kind != DOMAINSET_EXACT && r->kind != DOMAINSET_EXACT_PATHS && b > a &&
	       name[b - a - 1] == '.' && !strcmp(name + b - a, r->name);
}

/* Inside a list an exception wins, however short; a rule for the whole over one for paths. */
static struct domainset_hit naive_find(const struct rules *set, const char *name, uint64_t lists)
{
	struct domainset_hit hit = { 0 };
	uint64_t whole = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct rule *r = &set->v[i];

		if (r->exception && covers(r, name))
			hit.excepted |= 1ULL << r->list;
	}
	for (size_t i = 0; i < set->n; i++) {
		const struct rule *r = &set->v[i];
		bool is_paths =
			r->kind == DOMAINSET_EXACT_PATHS || r->kind == DOMAINSET_SUBTREE_PATHS;

		if (r->exception || !covers(r, name) || hit.excepted >> r->list & 1)
			continue;
		hit.blocked |= 1ULL << r->list;
		whole |= is_paths ? 0 : 1ULL << r->list;
	}
	hit.blocked &= lists;
	hit.excepted &= lists & ~hit.blocked;
	hit.paths = hit.blocked & ~whole;
	return hit;
}

/* Is there a rule at the offset that says what the hit says? */
static bool is_explained(const struct rules *set, const char *name, const struct domainset_hit *hit)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct rule *r = &set->v[i];
		uint64_t want = r->exception ? hit->excepted : hit->blocked;

		if (r->exception == !hit->blocked && want >> r->list & 1 && covers(r, name) &&
			!strcmp(r->name, name + hit->offset))
			return true;
	}
	return !hit->blocked && !hit->excepted && !hit->offset;
}

static char *random_name(char out[static 64])
{
	static const char *const word[LABEL_WORDS] = { "a", "bb", "example", "adserver", "x-1" };
	unsigned labels = 1 + (unsigned)random() % 5;
	char *p = out;

	for (unsigned i = 0; i < labels; i++)
		p += sprintf(p, "%s%s", i ? "." : "", word[random() % LABEL_WORDS]);
	return out;
}

static void random_rule(struct rule *r, unsigned lists)
{
	random_name(r->name);
	r->list = (unsigned)random() % lists;
	r->kind = (enum domainset_kind)(random() % 5);
	r->exception = random() % 4 == 0;
}

static void random_rules(struct rules *set, unsigned lists)
{
	set->n = 1 + (size_t)random() % RULES_MAX;
	for (size_t i = 0; i < set->n; i++)
		random_rule(&set->v[i], lists);
}

static struct domainset compile(const struct rules *set, struct buf *image)
{
	struct domainset_builder *b = domainset_builder_new();
	struct domainset s = { 0 };

	buf_init(image, 0);
	for (size_t i = 0; i < set->n; i++)
		OK(!domainset_builder_add(b, set->v[i].name, strlen(set->v[i].name), set->v[i].list,
			set->v[i].kind, set->v[i].exception));
	OK(!domainset_builder_finish(b, image));
	domainset_builder_free(b);
	OK(!domainset_open(image->data, image->len, &s));
	return s;
}

static uint64_t random_lists(void)
{
	return random() % 2 ? ~0ULL : (uint64_t)random() << 33 ^ (uint64_t)random();
}

/* Looks random names up in the set and in the model. */
static bool agrees(const struct domainset *s, const struct rules *set, unsigned lookups)
{
	for (unsigned i = 0; i < lookups; i++) {
		struct domainset_hit want, got;
		uint64_t lists = random_lists();
		char name[64];

		random_name(name);
		want = naive_find(set, name, lists);
		domainset_find(s, name, strlen(name), lists, &got);
		if (got.blocked != want.blocked || got.excepted != want.excepted ||
			got.paths != want.paths || !is_explained(set, name, &got)) {
			printf("# %s: blocked %lx excepted %lx paths %lx offset %zu, want %lx %lx "
			       "%lx\n",
				name, got.blocked, got.excepted, got.paths, got.offset,
				want.blocked, want.excepted, want.paths);
			return false;
		}
	}
	return true;
}

/* 100,000 lookups: all kinds, exceptions; one list, a few, all 64. */
static void test_agrees_with_the_model(void)
{
	static const unsigned lists[] = { 1, 3, 64 };
	struct rules *set = calloc(1, sizeof(*set));

	srandom(7);
	for (unsigned round = 0; round < 250; round++) {
		struct buf image;
		struct domainset s;

		random_rules(set, lists[round % 3]);
		s = compile(set, &image);
		OK(agrees(&s, set, 400));
		domainset_close(&s);
		buf_fini(&image);
	}
	free(set);
}

static void drop_rules(struct rules *set, const char *name, unsigned list)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].list != list || strcmp(set->v[i].name, name))
			set->v[n++] = set->v[i];
	}
	set->n = n;
}

/* One change of the overlay and of the rules; base: what the image was made of. */
static void random_edit(
	struct domainset_overlay *o, struct rules *set, const struct rules *base, unsigned lists)
{
	struct rule r;
	int what = (int)(random() % 3), err;

	random_rule(&r, lists);
	/* Mostly of a rule that is there. */
	if (set->n && random() % 3) {
		const struct rule *old = &set->v[(size_t)random() % set->n];

		memcpy(r.name, old->name, sizeof(r.name));
		r.list = old->list;
	}
	if (what == 0) {
		OK(!domainset_overlay_add(o, r.name, strlen(r.name), r.list, r.kind, r.exception));
		set->v[set->n++] = r;
		return;
	}
	drop_rules(set, r.name, r.list);
	if (what == 1) {
		OK(!domainset_overlay_remove(o, r.name, strlen(r.name), r.list));
		return;
	}
	err = domainset_overlay_revert(o, r.name, strlen(r.name), r.list);
	OK(!err || err == -ENOENT);
	for (size_t i = 0; i < base->n; i++) {
		if (base->v[i].list == r.list && !strcmp(base->v[i].name, r.name) &&
			set->n < sizeof(set->v) / sizeof(*set->v))
			set->v[set->n++] = base->v[i];
	}
}

/* An image with an overlay says what an image of the changed rules says, also after the image was
 * replaced by one with another key. */
static void test_overlay_is_equal_to_a_rebuild(void)
{
	static const unsigned lists[] = { 1, 3, 64 };
	struct rules *base = calloc(1, sizeof(*base)), *set = calloc(1, sizeof(*set));

	srandom(8);
	for (unsigned round = 0; round < 150; round++) {
		struct domainset_overlay *o = domainset_overlay_new(EDITS);
		struct buf image, twin, rebuilt;
		struct domainset s, t, r;

		random_rules(base, lists[round % 3]);
		*set = *base;
		s = compile(base, &image);
		t = compile(base, &twin);
		domainset_set_overlay(&s, o);
		for (unsigned i = 0; i < EDITS; i++) {
			random_edit(o, set, base, lists[round % 3]);
			OK(agrees(&s, set, 10));
		}
		r = compile(set, &rebuilt);
		OK(agrees(&s, set, 300));
		OK(agrees(&r, set, 300));
		domainset_set_overlay(&t, o);
		OK(agrees(&t, set, 300));
		domainset_close(&s);
		domainset_close(&t);
		domainset_close(&r);
		buf_fini(&image);
		buf_fini(&twin);
		buf_fini(&rebuilt);
		domainset_overlay_free(o);
	}
	free(base);
	free(set);
}

static void test_overlay_is_bounded(void)
{
	struct domainset_overlay *o = domainset_overlay_new(2);

	INT_IS(domainset_overlay_add(o, "a.example", 9, 0, DOMAINSET_EXACT, false), 0);
	INT_IS(domainset_overlay_add(o, "b.example", 9, 64, DOMAINSET_EXACT, false), -EINVAL);
	INT_IS(domainset_overlay_add(o, "b..example", 10, 0, DOMAINSET_EXACT, false), -EINVAL);
	INT_IS(domainset_overlay_remove(o, "b.example", 9, 63), 0);
	INT_IS(domainset_overlay_add(o, "a.example", 9, 1, DOMAINSET_EXACT, true), 0);
	INT_IS(domainset_overlay_add(o, "c.example", 9, 0, DOMAINSET_EXACT, false), -ENOSPC);
	INT_IS(domainset_overlay_revert(o, "c.example", 9, 0), -ENOENT);
	INT_IS(domainset_overlay_revert(o, "a.example", 9, 0), 0);
	INT_IS(domainset_overlay_count(o), 2);
	INT_IS(domainset_overlay_revert(o, "a.example", 9, 1), 0);
	INT_IS(domainset_overlay_count(o), 1);
	INT_IS(domainset_overlay_add(o, "c.example", 9, 0, DOMAINSET_EXACT, false), 0);
	domainset_overlay_free(o);
}

int main(void)
{
	TAP_RUN(test_agrees_with_the_model);
	TAP_RUN(test_overlay_is_equal_to_a_rebuild);
	TAP_RUN(test_overlay_is_bounded);
	return tap_done();
}
