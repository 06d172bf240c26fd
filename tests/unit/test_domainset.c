/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The domain set (SPEC D3, P6; MEASURED 5): lookups, images, corruption, overflow of classes. */
#include "common/domainset.h"
#include "common/domainset_image.h"
#include "common/siphash.h"
#include "common/timer.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

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
static void test_longest_match_wins_inside_a_list(void)
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
	INT_IS(find(&s, "x.good.ads.example").blocked, 0x21);
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
		{ "y.good.a.example", 0, DOMAINSET_SUBTREE, false }, /* blocks again */
		{ "exact.example", 0, DOMAINSET_EXACT, false },
		{ "x.exact.example", 0, DOMAINSET_EXACT, false },
	};
	struct buf image;
	struct domainset s = compile(rules, 12, &image);

	INT_IS(s.count, 11);
	INT_IS(covered_count(&s), 4);
	INT_IS(find(&s, "x.a.example").blocked, 1);
	INT_IS(find(&s, "both.a.example").blocked, 3);
	INT_IS(find(&s, "x.both.a.example").blocked, 1);
	INT_IS(find(&s, "x.good.a.example").blocked, 0);
	INT_IS(find(&s, "y.good.a.example").blocked, 1);
	domainset_close(&s);
	buf_fini(&image);
}

/* ---- images ---- */

static void number_name(char out[32], unsigned i)
{
	sprintf(out, "n%u.example", i);
}

/* 5000 names, each with its own pair of masks: far more classes than numbers in a slot. */
static void test_more_than_1023_classes_stay_right(void)
{
	struct domainset_builder *b = domainset_builder_new();
	struct domainset s = { 0 };
	struct buf image;
	char name[32];

	buf_init(&image, 0);
	for (unsigned i = 0; i < 5000; i++) {
		number_name(name, i);
		for (unsigned bit = 0; bit < 13; bit++)
			if ((i + 1) >> bit & 1)
				OK(!domainset_builder_add(
					b, name, strlen(name), bit, DOMAINSET_SUBTREE, false));
	}
	OK(!domainset_builder_finish(b, &image));
	domainset_builder_free(b);
	OK(!domainset_open(image.data, image.len, &s));
	INT_IS(s.count, 5000);
	INT_IS(s.class_count, 5001);
	INT_IS(s.overflow_count, 5000 - 1022);
	for (unsigned i = 0; i < 5000; i++) {
		number_name(name, i);
		OK(find(&s, name).blocked == i + 1);
	}
	INT_IS(find(&s, "n5000.example").blocked, 0);
	domainset_close(&s);
	buf_fini(&image);
}

/* Where the buckets tell enough of a hash, slots give up bits of it for the classes. */
static void test_classes_of_many_names_take_more_bits(void)
{
	enum { COUNT = 60000, CLASSES = 5000 };
	struct domainset_builder *b = domainset_builder_new();
	struct domainset s = { 0 };
	struct buf image;
	unsigned wrong = 0;
	char name[32];

	buf_init(&image, 0);
	for (unsigned i = 0; i < COUNT; i++) {
		number_name(name, i);
		for (unsigned bit = 0; bit < 13; bit++)
			if ((i % CLASSES + 1) >> bit & 1)
				wrong += domainset_builder_add(b, name, strlen(name), bit * 5,
						 DOMAINSET_SUBTREE, false) != 0;
	}
	OK(!domainset_builder_finish(b, &image));
	domainset_builder_free(b);
	OK(!domainset_open(image.data, image.len, &s));
	INT_IS(s.class_bits, 13);
	INT_IS(s.overflow_count, 0);
	for (unsigned i = 0; i < COUNT; i++) {
		uint64_t want = 0;

		number_name(name, i);
		for (unsigned bit = 0; bit < 13; bit++)
			want |= (uint64_t)((i % CLASSES + 1) >> bit & 1) << bit * 5;
		wrong += find(&s, name).blocked != want;
	}
	for (unsigned i = COUNT; i < 4 * COUNT; i++) {
		number_name(name, i);
		wrong += find(&s, name).blocked != 0;
	}
	INT_IS(wrong, 0);
	domainset_close(&s);
	buf_fini(&image);
}

static struct buf small_image(void)
{
	struct domainset_builder *b = domainset_builder_new();
	struct buf image;
	char name[32];

	buf_init(&image, 0);
	for (unsigned i = 0; i < 2000; i++) {
		number_name(name, i);
		OK(!domainset_builder_add(
			b, name, strlen(name), i % 64, DOMAINSET_SUBTREE, i % 7 == 0));
	}
	OK(!domainset_builder_finish(b, &image));
	domainset_builder_free(b);
	return image;
}

static void test_any_wrong_byte_is_refused(void)
{
	struct buf image = small_image();
	struct domainset s;

	srandom(11);
	for (size_t i = 0; i < sizeof(struct domainset_header) + 1000; i++) {
		size_t at = i < sizeof(struct domainset_header) ? i : (size_t)random() % image.len;
		uint8_t flip = (uint8_t)(1 + random() % 255);

		image.data[at] ^= flip;
		INT_IS(domainset_open(image.data, image.len, &s), -EBADMSG);
		image.data[at] ^= flip;
	}
	INT_IS(domainset_open(image.data, image.len, &s), 0);
	domainset_close(&s);
	buf_fini(&image);
}

static void test_any_wrong_length_is_refused(void)
{
	struct buf image = small_image();
	struct domainset s;

	for (size_t len = 0; len < image.len; len += len < 200 ? 1 : 97)
		INT_IS(domainset_open(image.data, len, &s), -EBADMSG);
	INT_IS(domainset_open(image.data + 4, image.len - 4, &s), -EINVAL);
	INT_IS(buf_append(&image, "12345678", 8), 0);
	INT_IS(domainset_open(image.data, image.len, &s), -EBADMSG);
	buf_fini(&image);
}

static void test_file_is_mapped_and_checked(void)
{
	char path[] = "/tmp/test_domainset.XXXXXX";
	struct buf image = small_image();
	struct domainset s;
	int fd = mkstemp(path);

	OK(fd >= 0 && write(fd, image.data, image.len) == (ssize_t)image.len);
	INT_IS(domainset_open_file(path, &s), 0);
	INT_IS(find(&s, "a.n1.example").blocked, 2);
	INT_IS(find(&s, "n7.example").excepted, 128);
	domainset_close(&s);
	OK(pwrite(fd, "", 1, 500) == 1 && pwrite(fd, "\1", 1, 501) == 1);
	INT_IS(domainset_open_file(path, &s), -EBADMSG);
	INT_IS(domainset_open_file("/nonexistent/image", &s), -ENOENT);
	INT_IS(domainset_open_file("/tmp", &s), -EBADMSG);
	close(fd);
	unlink(path);
	buf_fini(&image);
}

/* MEASURED 5: at most 11 bytes per name at a million; the times are printed, not judged. */
static void test_million_names_fit_11_bytes_each(void)
{
	enum { COUNT = 1000000, LOOKUPS = 1000000 };
	struct domainset_builder *b = domainset_builder_new();
	struct domainset s = { 0 };
	struct buf image;
	uint64_t t0, t1, found = 0;
	char name[64];

	buf_init(&image, 0);
	t0 = uv_hrtime();
	for (unsigned i = 0; i < COUNT; i++) {
		int len = sprintf(name, "host%u.ads%u.example%u.com", i, i % 1000, i % 77);
		domainset_builder_add(b, name, (size_t)len, i % 3, DOMAINSET_SUBTREE, false);
	}
	t1 = uv_hrtime();
	OK(!domainset_builder_finish(b, &image));
	printf("# 1 M names: add %.0f ms, finish %.0f ms, %.2f bytes per name\n",
		(double)(t1 - t0) / 1e6, (double)(uv_hrtime() - t1) / 1e6,
		(double)image.len / COUNT);
	domainset_builder_free(b);
	OK(image.len <= 11u * COUNT);
	t0 = uv_hrtime();
	OK(!domainset_open(image.data, image.len, &s));
	printf("# open %.1f ms\n", (double)(uv_hrtime() - t0) / 1e6);
	for (unsigned miss = 0; miss < 2; miss++) {
		uint64_t make = uv_hrtime();
		unsigned sum = 0;

		for (unsigned i = 0; i < LOOKUPS; i++) {
			unsigned k = i * 2654435761u % COUNT;
			sum += (unsigned)sprintf(name, "host%u.ads%u.example%u.%s", k, k % 1000,
				k % 77, miss ? "org" : "com");
		}
		make = uv_hrtime() - make;
		t0 = uv_hrtime();
		for (unsigned i = 0; i < LOOKUPS; i++) {
			unsigned k = i * 2654435761u % COUNT;
			int len = sprintf(name, "host%u.ads%u.example%u.%s", k, k % 1000, k % 77,
				miss ? "org" : "com");
			struct domainset_hit hit;

			domainset_find(&s, name, (size_t)len, ~0ULL, &hit);
			found += hit.blocked != 0;
		}
		printf("# %s %.0f ns (mean length %u)\n", miss ? "allowed" : "blocked",
			((double)(uv_hrtime() - t0) - (double)make) / LOOKUPS, sum / LOOKUPS);
	}
	INT_IS(found, LOOKUPS);
	domainset_close(&s);
	buf_fini(&image);
}

int main(void)
{
	TAP_RUN(test_hash_is_siphash_of_the_reversed_suffix);
	TAP_RUN(test_kinds_cover_what_they_say);
	TAP_RUN(test_longest_match_wins_inside_a_list);
	TAP_RUN(test_names_that_change_nothing_are_told_apart);
	TAP_RUN(test_paths_block_but_are_told_apart);
	TAP_RUN(test_merge_gives_rules_another_list);
	TAP_RUN(test_builder_refuses_what_is_no_name);
	TAP_RUN(test_name_of_127_labels_is_found);
	TAP_RUN(test_empty_set_blocks_nothing);
	TAP_RUN(test_order_of_adds_does_not_change_the_image);
	TAP_RUN(test_more_than_1023_classes_stay_right);
	TAP_RUN(test_classes_of_many_names_take_more_bits);
	TAP_RUN(test_any_wrong_byte_is_refused);
	TAP_RUN(test_any_wrong_length_is_refused);
	TAP_RUN(test_file_is_mapped_and_checked);
	TAP_RUN(test_million_names_fit_11_bytes_each);
	return tap_done();
}
