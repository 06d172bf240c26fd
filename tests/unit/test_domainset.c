/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The domain set (SPEC D3, P6): what rules mean, what the builder takes and makes of them. */
#include "common/domainset.h"
#include "common/domainset_image.h"
#include "common/siphash.h"
#include "tests/unit/tap.h"
#include <errno.h>

static const uint8_t test_key[16] = "0123456789abcdef";

struct rule {
	const char *name;
	unsigned list;
	enum domainset_kind kind;
	bool exception;
};

static struct domainset compile(const struct rule *rules, size_t n, struct buf *image)
{
	struct domainset_builder *b = domainset_builder_new();
	struct domainset s = { 0 };

	buf_init(image, 0);
	OK(!domainset_builder_set_key(b, test_key));
	for (size_t i = 0; i < n; i++)
		OK(!domainset_builder_add(b, rules[i].name, strlen(rules[i].name), rules[i].list,
			rules[i].kind, rules[i].exception));
	OK(!domainset_builder_finish(b, image));
	domainset_builder_free(b);
	OK(!domainset_open(image->data, image->len, &s));
	return s;
}

static struct domainset_hit find(const struct domainset *s, const char *name)
{
	struct domainset_hit hit;

	domainset_find(s, name, strlen(name), ~0ULL, &hit);
	return hit;
}

static void test_hash_is_siphash_of_the_reversed_suffix(void)
{
	const char *name = "a.very-long.name.with..dots.of-eight.example.org";
	struct domainset_suffix suffix[DOMAINSET_MAX_LABELS];
	size_t n =
		domainset_hash(test_key, name, strlen(name), DOMAINSET_MAX_LABELS, ~0ULL, suffix);

	INT_IS(n, 9);
	for (size_t i = 0; i < n; i++) {
		char reversed[64];
		size_t len = strlen(name + suffix[i].offset);

		for (size_t j = 0; j < len; j++)
			reversed[j] = name[strlen(name) - 1 - j];
		OK(!suffix[i].offset || name[suffix[i].offset - 1] == '.');
		INT_IS(suffix[i].labels, i + 1);
		OK(suffix[i].hash == siphash13(test_key, reversed, len));
	}
	INT_IS(suffix[n - 1].offset, 0);
	INT_IS(domainset_hash(test_key, name, strlen(name), 3, ~0ULL, suffix), 3);
}

static void test_kinds_cover_what_they_say(void)
{
	const struct rule rules[] = {
		{ "exact.example", 0, DOMAINSET_EXACT, false },
		{ "tree.example", 1, DOMAINSET_SUBTREE, false },
		{ "below.example", 2, DOMAINSET_BELOW, false },
	};
	struct buf image;
	struct domainset s = compile(rules, 3, &image);

	INT_IS(find(&s, "exact.example").blocked, 1);
	INT_IS(find(&s, "a.exact.example").blocked, 0);
	INT_IS(find(&s, "tree.example").blocked, 2);
	INT_IS(find(&s, "a.b.tree.example").blocked, 2);
	INT_IS(find(&s, "a.b.tree.example").offset, 4);
	INT_IS(find(&s, "notree.example").blocked, 0);
	INT_IS(find(&s, "below.example").blocked, 0);
	INT_IS(find(&s, "a.below.example").blocked, 4);
	INT_IS(find(&s, "a.below.example").offset, 2);
	INT_IS(find(&s, "example").blocked, 0);
	INT_IS(find(&s, "").blocked, 0);
	INT_IS(find(&s, ".").blocked, 0);
	domainset_close(&s);
	buf_fini(&image);
}

/* SPEC P5, P6 */
static void test_exception_wins_inside_its_list(void)
{
	const struct rule rules[] = {
		{ "ads.example", 0, DOMAINSET_SUBTREE, false },
		{ "good.ads.example", 0, DOMAINSET_SUBTREE, true },
		{ "ads.example", 5, DOMAINSET_SUBTREE, false },
		{ "x.good.ads.example", 0, DOMAINSET_SUBTREE, false },
	};
	struct buf image;
	struct domainset s = compile(rules, 4, &image);
	struct domainset_hit hit;

	INT_IS(find(&s, "ads.example").blocked, 0x21);
	INT_IS(find(&s, "good.ads.example").blocked, 0x20);
	INT_IS(find(&s, "good.ads.example").excepted, 1);
	INT_IS(find(&s, "x.good.ads.example").blocked, 0x20);
	INT_IS(find(&s, "y.good.ads.example").blocked, 0x20);
	domainset_find(&s, "good.ads.example", 16, 1, &hit);
	INT_IS(hit.blocked, 0);
	INT_IS(hit.excepted, 1);
	domainset_find(&s, "ads.example", 11, 0x20, &hit);
	INT_IS(hit.blocked, 0x20);
	domainset_close(&s);
	buf_fini(&image);
}

static void test_paths_block_but_are_told_apart(void)
{
	const struct rule rules[] = {
		{ "shop.example", 0, DOMAINSET_EXACT_PATHS, false },
		{ "tree.example", 1, DOMAINSET_SUBTREE_PATHS, false },
		{ "a.tree.example", 1, DOMAINSET_EXACT, false },
		{ "b.tree.example", 1, DOMAINSET_EXACT, true },
	};
	struct buf image;
	struct domainset s = compile(rules, 4, &image);

	INT_IS(find(&s, "shop.example").blocked, 1);
	INT_IS(find(&s, "shop.example").paths, 1);
	INT_IS(find(&s, "a.shop.example").blocked, 0);
	INT_IS(find(&s, "x.tree.example").paths, 2);
	INT_IS(find(&s, "a.tree.example").blocked, 2);
	INT_IS(find(&s, "a.tree.example").paths, 0);
	INT_IS(find(&s, "b.tree.example").blocked, 0);
	INT_IS(find(&s, "b.tree.example").paths, 0);
	domainset_close(&s);
	buf_fini(&image);
}

static void test_merge_gives_rules_another_list(void)
{
	struct domainset_builder *all = domainset_builder_new(), *one = domainset_builder_new();
	struct domainset s = { 0 };
	struct buf image;

	buf_init(&image, 0);
	INT_IS(domainset_builder_add(one, "a.example", 9, 0, DOMAINSET_EXACT, false), 0);
	INT_IS(domainset_builder_merge(all, one, 4), -EINVAL); /* other key */
	domainset_builder_free(one);
	one = domainset_builder_new();
	INT_IS(domainset_builder_set_key(all, test_key), 0);
	INT_IS(domainset_builder_set_key(one, test_key), 0);
	INT_IS(domainset_builder_add(one, "a.example", 9, 0, DOMAINSET_EXACT, false), 0);
	INT_IS(domainset_builder_add(one, "b.example", 9, 0, DOMAINSET_SUBTREE, true), 0);
	INT_IS(domainset_builder_merge(all, one, 4), 0);
	INT_IS(domainset_builder_merge(all, one, 9), 0);
	INT_IS(domainset_builder_finish(all, &image), 0);
	INT_IS(domainset_open(image.data, image.len, &s), 0);
	INT_IS(find(&s, "a.example").blocked, 0x210);
	INT_IS(find(&s, "x.b.example").excepted, 0x210);
	domainset_close(&s);
	domainset_builder_free(all);
	domainset_builder_free(one);
	buf_fini(&image);
}

static void test_builder_refuses_what_is_no_name(void)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "A.example", "a b", "*.a",
		"a/b", "\xc3\xa4.example",
		"0123456789012345678901234567890123456789012345678901234567890123.example" };
	struct domainset_builder *b = domainset_builder_new();
	char longest[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		INT_IS(domainset_builder_add(b, bad[i], strlen(bad[i]), 0, 0, false), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 1; i < sizeof(longest); i += 2)
		longest[i] = '.';
	INT_IS(domainset_builder_add(b, longest, 253, 0, DOMAINSET_EXACT, false), 0);
	INT_IS(domainset_builder_add(b, longest, 255, 0, DOMAINSET_EXACT, false), -EINVAL);
	INT_IS(domainset_builder_add(b, "a", 1, 64, DOMAINSET_EXACT, false), -EINVAL);
	INT_IS(domainset_builder_add(b, "a", 1, 63, DOMAINSET_EXACT, false), 0);
	INT_IS(domainset_builder_add(b, "a", 1, 62, DOMAINSET_EXACT, false), 0);
	INT_IS(domainset_builder_count(b), 2);
	INT_IS(domainset_builder_set_key(b, test_key), -EBUSY);
	domainset_builder_free(b);
}

static void test_name_of_127_labels_is_found(void)
{
	char name[254];
	struct rule rule = { name, 3, DOMAINSET_EXACT, false };
	struct buf image;
	struct domainset s;

	memset(name, 'a', sizeof(name));
	for (size_t i = 1; i < sizeof(name); i += 2)
		name[i] = '.';
	name[253] = 0;
	s = compile(&rule, 1, &image);
	INT_IS(find(&s, name).blocked, 8);
	INT_IS(find(&s, name + 2).blocked, 0);
	domainset_close(&s);
	buf_fini(&image);
}

static void test_empty_set_blocks_nothing(void)
{
	struct buf image;
	struct domainset s = compile(NULL, 0, &image);

	INT_IS(s.count, 0);
	INT_IS(find(&s, "a.example").blocked, 0);
	domainset_close(&s);
	buf_fini(&image);
}

static void test_order_of_adds_does_not_change_the_image(void)
{
	const struct rule one[] = { { "a.example", 0, 0, false }, { "b.example", 1, 1, false },
		{ "c.example", 2, 2, true } };
	const struct rule two[] = { one[2], one[0], one[1], one[0] };
	struct buf x, y;
	struct domainset s = compile(one, 3, &x), t = compile(two, 4, &y);

	OK(x.len == y.len && !memcmp(x.data, y.data, x.len));
	domainset_close(&s);
	domainset_close(&t);
	buf_fini(&x);
	buf_fini(&y);
}

static unsigned covered_count(const struct domainset *s)
{
	const struct domainset_header *h = (const void *)s->image;
	unsigned n = 0;

	for (uint64_t i = 0; i < h->covered_buckets * DOMAINSET_BUCKET; i++)
		n += s->covered[i] != 0;
	return n;
}

static void test_names_that_change_nothing_are_told_apart(void)
{
	const struct rule rules[] = {
		{ "a.example", 0, DOMAINSET_SUBTREE, false },
		{ "x.a.example", 0, DOMAINSET_SUBTREE, false },		/* covered */
		{ "x.y.z.a.example", 0, DOMAINSET_EXACT, false },	/* covered */
		{ "paths.a.example", 0, DOMAINSET_EXACT_PATHS, false }, /* covered */
		{ "other.a.example", 1, DOMAINSET_SUBTREE, false },	/* another list */
		{ "both.a.example", 0, DOMAINSET_SUBTREE, false },
		{ "both.a.example", 1, DOMAINSET_EXACT, false },
		{ "good.a.example", 0, DOMAINSET_SUBTREE, true },
		{ "x.good.a.example", 0, DOMAINSET_SUBTREE, true },  /* covered */
		{ "y.good.a.example", 0, DOMAINSET_SUBTREE, false }, /* covered, too */
		{ "exact.example", 0, DOMAINSET_EXACT, false },
		{ "x.exact.example", 0, DOMAINSET_EXACT, false },
	};
	struct buf image;
	struct domainset s = compile(rules, 12, &image);

	INT_IS(s.count, 11);
	INT_IS(covered_count(&s), 5);
	INT_IS(find(&s, "x.a.example").blocked, 1);
	INT_IS(find(&s, "both.a.example").blocked, 3);
	INT_IS(find(&s, "x.both.a.example").blocked, 1);
	INT_IS(find(&s, "x.good.a.example").blocked, 0);
	INT_IS(find(&s, "y.good.a.example").blocked, 0);
	domainset_close(&s);
	buf_fini(&image);
}

int main(void)
{
	TAP_RUN(test_hash_is_siphash_of_the_reversed_suffix);
	TAP_RUN(test_kinds_cover_what_they_say);
	TAP_RUN(test_exception_wins_inside_its_list);
	TAP_RUN(test_names_that_change_nothing_are_told_apart);
	TAP_RUN(test_paths_block_but_are_told_apart);
	TAP_RUN(test_merge_gives_rules_another_list);
	TAP_RUN(test_builder_refuses_what_is_no_name);
	TAP_RUN(test_name_of_127_labels_is_found);
	TAP_RUN(test_empty_set_blocks_nothing);
	TAP_RUN(test_order_of_adds_does_not_change_the_image);
	return tap_done();
}
