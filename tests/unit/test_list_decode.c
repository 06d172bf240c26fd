/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content codings of lists (SPEC S2, S4). */
#include "syncd/list_decode.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define ZLIB 15
#define GZIP (15 + 16)
#define BARE (-15)

static size_t deflate_to(int window, const void *data, size_t len, uint8_t *out, size_t cap)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)data,
		.avail_in = (uInt)len,
		.next_out = out,
		.avail_out = (uInt)cap };

	deflateInit2(&z, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static void check(const char *coding, const void *data, size_t len, int err, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	INT_IS(list_decode(coding, data, len, &out), err);
	if (want)
		STR_IS((char *)out.data, want);
	buf_fini(&out);
}

static void test_codings_are_undone(void)
{
	uint8_t z[256];

	check(NULL, "a.example\n", 10, 0, "a.example\n");
	check("identity", "a.example\n", 10, 0, "a.example\n");
	check("gzip", z, deflate_to(GZIP, "a.example\n", 10, z, sizeof(z)), 0, "a.example\n");
	check("X-GZip", z, deflate_to(GZIP, "a.example\n", 10, z, sizeof(z)), 0, "a.example\n");
	check("deflate", z, deflate_to(ZLIB, "a.example\n", 10, z, sizeof(z)), 0, "a.example\n");
	check("deflate", z, deflate_to(BARE, "a.example\n", 10, z, sizeof(z)), 0, "a.example\n");
}

static void test_members_follow_each_other(void)
{
	uint8_t z[256];
	size_t n = deflate_to(GZIP, "a\n", 2, z, sizeof(z));

	n += deflate_to(GZIP, "b\n", 2, z + n, sizeof(z) - n);
	check("gzip", z, n, 0, "a\nb\n");
}

static void test_truncated_corrupt_and_trailing_are_refused(void)
{
	uint8_t z[256];
	size_t n = deflate_to(GZIP, "a.example\n", 10, z, sizeof(z));

	for (size_t i = 0; i < n; i++)
		check("gzip", z, i, -EBADMSG, NULL);
	z[n] = 'x';
	check("gzip", z, n + 1, -EBADMSG, NULL);
	z[n - 6] ^= 1; /* checksum */
	check("gzip", z, n, -EBADMSG, NULL);
	check("gzip", "plain text", 10, -EBADMSG, NULL);
	check("deflate", "plain text", 10, -EBADMSG, NULL);
	n = deflate_to(BARE, "a.example\n", 10, z, sizeof(z));
	z[n] = 'x';
	check("deflate", z, n + 1, -EBADMSG, NULL);
}

static void test_unknown_coding_is_refused(void)
{
	check("br", "x", 1, -EPROTO, NULL);
	check("gzip, gzip", "x", 1, -EPROTO, NULL);
}

static void test_bomb_ends_at_the_bound(void)
{
	size_t len = 64u << 20;
	uint8_t *zeros = calloc(1, len), *z = malloc(1 << 20);
	struct buf out;

	OK(zeros && z);
	len = deflate_to(GZIP, zeros, len, z, 1 << 20);
	buf_init(&out, 4u << 20);
	INT_IS(list_decode("gzip", z, len, &out), -EFBIG);
	OK(out.cap <= 8u << 20); /* it grows by doubling */
	buf_fini(&out);
	free(zeros);
	free(z);
}

int main(void)
{
	TAP_RUN(test_codings_are_undone);
	TAP_RUN(test_members_follow_each_other);
	TAP_RUN(test_truncated_corrupt_and_trailing_are_refused);
	TAP_RUN(test_unknown_coding_is_refused);
	TAP_RUN(test_bomb_ends_at_the_bound);
	return tap_done();
}
