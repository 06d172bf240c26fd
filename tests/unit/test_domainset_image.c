/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images of the domain set (SPEC D3): their size, many classes, corruption. */
#include "common/domainset.h"
#include "common/domainset_build.h"
#include "common/domainset_image.h"
#include "common/timer.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct domainset_hit find(const struct domainset *s, const char *name)
{
	struct domainset_hit hit;

	domainset_find(s, name, strlen(name), ~0ULL, &hit);
	return hit;
}

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

static void test_class_bits_are_as_many_as_classes_want_and_buckets_allow(void)
{
	const uint64_t many = 1ULL << 40;

	INT_IS(domainset_class_bits(0, many), 10);
	INT_IS(domainset_class_bits(1022, many), 10);
	INT_IS(domainset_class_bits(1023, many), 11);
	INT_IS(domainset_class_bits(1023, (1 << 11) - 1), 10);
	INT_IS(domainset_class_bits(1023, 1 << 11), 11);
	INT_IS(domainset_class_bits(1 << 20, (1 << 12) - 1), 11);
	INT_IS(domainset_class_bits((1 << 19) - 2, many), 19);
	INT_IS(domainset_class_bits(1 << 19, many), 20);
	INT_IS(domainset_class_bits(1 << 25, many), DOMAINSET_CLASS_MAX);
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

/* As whatever is appended to a buffer. */
static void test_a_zero_byte_follows_the_image(void)
{
	struct domainset_builder *b = domainset_builder_new();
	struct buf image;

	buf_init(&image, 0);
	INT_IS(domainset_builder_add(b, "a.example", 9, 0, DOMAINSET_SUBTREE, false), 0);
	INT_IS(buf_reserve(&image, 1 << 16), 0);
	memset(image.data, 0xff, 1 << 16);
	INT_IS(domainset_builder_finish(b, &image), 0);
	OK(image.len < 1 << 16 && image.data[image.len] == 0);
	domainset_builder_free(b);
	buf_fini(&image);
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
	TAP_RUN(test_more_than_1023_classes_stay_right);
	TAP_RUN(test_classes_of_many_names_take_more_bits);
	TAP_RUN(test_class_bits_are_as_many_as_classes_want_and_buckets_allow);
	TAP_RUN(test_a_zero_byte_follows_the_image);
	TAP_RUN(test_any_wrong_byte_is_refused);
	TAP_RUN(test_any_wrong_length_is_refused);
	TAP_RUN(test_file_is_mapped_and_checked);
	TAP_RUN(test_million_names_fit_11_bytes_each);
	return tap_done();
}
