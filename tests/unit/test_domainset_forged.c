/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images of the domain set by somebody who can compute their checksum: what a lookup relies on is
 * looked at. */
#include "common/buf.h"
#include "common/domainset.h"
#include "common/domainset_image.h"
#include "common/siphash.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

/* An image of no name: one bucket in each table, one class that is not used. */
static struct domainset_header empty_header(void)
{
	return (struct domainset_header){ .magic = DOMAINSET_MAGIC,
		.version = DOMAINSET_VERSION,
		.max_labels = DOMAINSET_MAX_LABELS,
		.class_bits = DOMAINSET_CLASS_BITS,
		.filter_words = 1,
		.home_buckets = 1,
		.buckets = 1,
		.covered_home_buckets = 1,
		.covered_buckets = 1,
		.class_count = 1 };
}

/* Where what is behind the header stands, in words of 8 bytes. */
static size_t slots_at(const struct domainset_header *h)
{
	return h->filter_words;
}

static size_t covered_at(const struct domainset_header *h)
{
	return slots_at(h) + h->buckets * DOMAINSET_BUCKET;
}

static size_t overflow_at(const struct domainset_header *h)
{
	return covered_at(h) + h->covered_buckets * DOMAINSET_BUCKET + h->class_count * 6;
}

static size_t needed(const struct domainset_header *h)
{
	return sizeof(*h) + overflow_at(h) * 8 + h->overflow_count * 12;
}

/* The header, `words` behind it, and zero up to len; what domainset_open says of it. */
static int open_len(const struct domainset_header *h, const uint64_t *words, size_t n, size_t len)
{
	uint8_t *image = aligned_alloc(8, (len + 7) & ~(size_t)7);
	struct domainset_header *copy = (void *)image;
	struct domainset s;

	memset(image, 0, len);
	memcpy(image, h, sizeof(*h));
	if (n)
		memcpy(image + sizeof(*h), words, n * 8);
	copy->len = h->len ? h->len : len;
	copy->checksum =
		siphash13(h->key, image + DOMAINSET_CHECKED_FROM, len - DOMAINSET_CHECKED_FROM);
	int err = domainset_open(image, len, &s);
	if (!err)
		domainset_close(&s);
	free(image);
	return err;
}

static int open_header(const struct domainset_header *h)
{
	return open_len(h, NULL, 0, needed(h));
}

static void test_no_name_is_fine(void)
{
	struct domainset_header h = empty_header();

	INT_IS(open_header(&h), 0);
	h.class_bits = DOMAINSET_CLASS_MAX;
	INT_IS(open_header(&h), 0);
	h.buckets = h.covered_buckets = 3;
	h.home_buckets = h.covered_home_buckets = 3;
	INT_IS(open_header(&h), 0);
}

static void test_another_kind_of_image_is_refused(void)
{
	struct domainset_header h = empty_header();

	h.magic++;
	INT_IS(open_header(&h), -EBADMSG);
	h = empty_header();
	h.version++;
	INT_IS(open_header(&h), -EBADMSG);
	h = empty_header();
	h.reserved = 1;
	INT_IS(open_header(&h), -EBADMSG);
	h = empty_header();
	h.len = needed(&h) + 8;
	INT_IS(open_header(&h), -EBADMSG);
}

static void test_labels_and_bits_have_bounds(void)
{
	struct domainset_header h = empty_header();

	h.max_labels = DOMAINSET_MAX_LABELS + 1;
	INT_IS(open_header(&h), -EBADMSG);
	h = empty_header();
	h.class_bits = DOMAINSET_CLASS_BITS - 1;
	INT_IS(open_header(&h), -EBADMSG);
	h.class_bits = DOMAINSET_CLASS_MAX + 1;
	INT_IS(open_header(&h), -EBADMSG);
}

static void test_tables_have_a_place_for_every_hash(void)
{
	struct domainset_header h = empty_header();

	h.home_buckets = 0;
	INT_IS(open_header(&h), -EBADMSG);
	h.home_buckets = 2;
	INT_IS(open_header(&h), -EBADMSG);
	h = empty_header();
	h.covered_home_buckets = 0;
	INT_IS(open_header(&h), -EBADMSG);
	h.covered_home_buckets = 2;
	INT_IS(open_header(&h), -EBADMSG);
	h = empty_header();
	h.filter_words = 0;
	INT_IS(open_header(&h), -EBADMSG);
	h = empty_header();
	h.class_count = 0;
	INT_IS(open_header(&h), -EBADMSG);
}

static void test_length_is_that_of_the_parts(void)
{
	struct domainset_header h = empty_header();
	size_t need = needed(&h);

	INT_IS(open_len(&h, NULL, 0, need + 7), 0);
	INT_IS(open_len(&h, NULL, 0, need + 8), -EBADMSG);
	INT_IS(open_len(&h, NULL, 0, need - 1), -EBADMSG);
	INT_IS(open_len(&h, NULL, 0, need - 8), -EBADMSG);
}

/* Counts whose bytes are a multiple of 2^64 more than what is there. */
static void test_no_count_is_so_large_that_lengths_wrap(void)
{
	const struct domainset_header fine = empty_header();
	struct domainset_header h = fine;
	size_t need = needed(&fine);

	h.filter_words += 1ULL << 61;
	INT_IS(open_len(&h, NULL, 0, need), -EBADMSG);
	h = fine;
	h.buckets += 1ULL << 58;
	INT_IS(open_len(&h, NULL, 0, need), -EBADMSG);
	h = fine;
	h.covered_buckets += 1ULL << 58;
	INT_IS(open_len(&h, NULL, 0, need), -EBADMSG);
	h = fine;
	h.class_count += 1ULL << 60;
	INT_IS(open_len(&h, NULL, 0, need), -EBADMSG);
	h = fine;
	h.overflow_count += 1ULL << 62;
	INT_IS(open_len(&h, NULL, 0, need), -EBADMSG);
}

/* Two classes that are used, and a slot of the first table. */
static int open_slot(size_t at, uint64_t slot, uint64_t count, unsigned class_bits)
{
	struct domainset_header h = empty_header();
	uint64_t words[64] = { 0 };

	h.class_count = 3;
	h.class_bits = (uint16_t)class_bits;
	h.count = count;
	words[slots_at(&h) + at] = slot;
	return open_len(&h, words, overflow_at(&h), needed(&h));
}

static void test_a_slot_has_a_class_that_is_there(void)
{
	INT_IS(open_slot(0, 1 << 10 | 1, 1, 10), 0);
	INT_IS(open_slot(6, 1 << 10 | 2, 1, 10), 0);
	INT_IS(open_slot(0, 1 << 10 | 3, 1, 10), -EBADMSG);
	INT_IS(open_slot(0, 1 << 10 | 1022, 1, 10), -EBADMSG);
	INT_IS(open_slot(0, 1 << 10 | 1023, 1, 10), 0); /* the overflow table knows it */
	INT_IS(open_slot(0, 1 << 11 | 1023, 1, 11), -EBADMSG);
	INT_IS(open_slot(0, 1 << 10, 0, 10), -EBADMSG);
	INT_IS(open_slot(0, 1 << 10, 1, 10), -EBADMSG);
	/* The same in the table of covered names, the next bucket. */
	INT_IS(open_slot(8, 1 << 10 | 2, 1, 10), 0);
	INT_IS(open_slot(8, 1 << 10 | 3, 1, 10), -EBADMSG);
}

static void test_an_open_bucket_ends_each_table(void)
{
	INT_IS(open_slot(7, 1 << 10 | 1, 1, 10), -EBADMSG);
	INT_IS(open_slot(15, 1 << 10 | 1, 1, 10), -EBADMSG);
}

static void test_names_are_as_many_as_said(void)
{
	INT_IS(open_slot(0, 1 << 10 | 1, 0, 10), -EBADMSG);
	INT_IS(open_slot(0, 1 << 10 | 1, 2, 10), -EBADMSG);
	INT_IS(open_slot(0, 0, 0, 10), 0);
	INT_IS(open_slot(0, 0, 1, 10), -EBADMSG);
}

/* Two names of the overflow table: their hashes and classes, among three. */
static int open_overflow(uint64_t a, uint64_t b, uint32_t class_a, uint32_t class_b)
{
	struct domainset_header h = empty_header();
	uint64_t words[64] = { 0 };
	uint32_t classes[2] = { class_a, class_b };

	h.class_count = 3;
	h.overflow_count = 2;
	words[overflow_at(&h)] = a;
	words[overflow_at(&h) + 1] = b;
	memcpy(&words[overflow_at(&h) + 2], classes, sizeof(classes));
	return open_len(&h, words, overflow_at(&h) + 3, needed(&h));
}

static void test_the_overflow_table_is_sorted_and_has_classes_that_are_there(void)
{
	INT_IS(open_overflow(5, 6, 1, 2), 0);
	INT_IS(open_overflow(0, 6, 2, 1), 0);
	INT_IS(open_overflow(5, 5, 1, 2), -EBADMSG);
	INT_IS(open_overflow(6, 5, 1, 2), -EBADMSG);
	INT_IS(open_overflow(5, 6, 0, 2), -EBADMSG);
	INT_IS(open_overflow(5, 6, 1, 0), -EBADMSG);
	INT_IS(open_overflow(5, 6, 3, 2), -EBADMSG);
	INT_IS(open_overflow(5, 6, 1, 3), -EBADMSG);
}

int main(void)
{
	TAP_RUN(test_no_name_is_fine);
	TAP_RUN(test_another_kind_of_image_is_refused);
	TAP_RUN(test_labels_and_bits_have_bounds);
	TAP_RUN(test_tables_have_a_place_for_every_hash);
	TAP_RUN(test_length_is_that_of_the_parts);
	TAP_RUN(test_no_count_is_so_large_that_lengths_wrap);
	TAP_RUN(test_a_slot_has_a_class_that_is_there);
	TAP_RUN(test_an_open_bucket_ends_each_table);
	TAP_RUN(test_names_are_as_many_as_said);
	TAP_RUN(test_the_overflow_table_is_sorted_and_has_classes_that_are_there);
	return tap_done();
}
