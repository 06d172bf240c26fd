/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transparent images that are kept (SPEC P10, C1). */
#include "proxyd/image_blank.h"
#include "proxyd/image_cache.h"
#include "tests/unit/tap.h"
#include <string.h>

/* The cache's is the one that would be made; how many were found so far. */
static void check(struct image_cache *c, uint32_t width, uint32_t height, uint64_t found)
{
	struct buf got, want;

	buf_init(&got, 0);
	buf_init(&want, 0);
	INT_IS(image_cache_png(c, width, height, &got), 0);
	INT_IS(image_blank_png(&want, width, height), 0);
	OK(got.len == want.len && !memcmp(got.data, want.data, want.len));
	INT_IS((int)c->found, (int)found);
	buf_fini(&got);
	buf_fini(&want);
}

static void test_an_image_of_the_same_size_is_found(void)
{
	struct image_cache c;

	image_cache_init(&c, 2);
	check(&c, 640, 480, 0);
	check(&c, 640, 480, 1);
	check(&c, 480, 640, 1);
	check(&c, 640, 480, 2);
	image_cache_fini(&c);
}

static void test_the_one_not_used_for_the_longest_time_leaves(void)
{
	struct image_cache c;

	image_cache_init(&c, 2);
	check(&c, 1, 1, 0);
	check(&c, 2, 2, 0);
	check(&c, 1, 1, 1);
	check(&c, 3, 3, 1);
	check(&c, 1, 1, 2);
	check(&c, 2, 2, 2);
	INT_IS((int)lru_count(&c.images), 2);
	image_cache_fini(&c);
}

static void test_none_is_kept_where_none_is_to_be(void)
{
	struct image_cache c;

	image_cache_init(&c, 0);
	check(&c, 640, 480, 0);
	check(&c, 640, 480, 0);
	image_cache_fini(&c);
}

static void test_large_ones_are_not_kept(void)
{
	struct image_cache c;

	image_cache_init(&c, 2);
	check(&c, 16384, 16384, 0);
	check(&c, 16384, 16384, 0);
	INT_IS((int)lru_count(&c.images), 0);
	image_cache_fini(&c);
}

int main(void)
{
	TAP_RUN(test_an_image_of_the_same_size_is_found);
	TAP_RUN(test_the_one_not_used_for_the_longest_time_leaves);
	TAP_RUN(test_none_is_kept_where_none_is_to_be);
	TAP_RUN(test_large_ones_are_not_kept);
	return tap_done();
}
