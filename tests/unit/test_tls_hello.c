/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ClientHello in many records becomes one (RFC 8446 5.1). */
#include <errno.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/tls_hello.h"
#include "tests/unit/tap.h"

/* A message of `len` bytes behind its header, in records of `step`. */
static void hello(struct buf *b, size_t len, size_t step)
{
	uint8_t message[20000] = { 1, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };

	for (size_t i = 4; i < len + 4; i++)
		message[i] = (uint8_t)(i * 7);
	buf_init(b, 0);
	for (size_t at = 0; at < len + 4; at += step) {
		size_t n = len + 4 - at < step ? len + 4 - at : step;
		uint8_t header[] = { 22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n };

		buf_append(b, header, sizeof(header));
		buf_append(b, message + at, n);
	}
}

static void test_joins_records_of_any_size(void)
{
	static const size_t lens[] = { 0, 1, 517, 1800, 16380 };

	for (size_t i = 0; i < 5; i++)
		for (size_t step = 1; step <= 4096; step = step * 3 + 1) {
			struct buf got, want;

			hello(&got, lens[i], step);
			hello(&want, lens[i], 16384);
			buf_append_str(&got, "behind");
			buf_append_str(&want, "behind");
			INT_IS(tls_hello_join(got.data, &got.len), 0);
			INT_IS(got.len, want.len);
			OK(memcmp(got.data, want.data, want.len) == 0);
			buf_fini(&got);
			buf_fini(&want);
		}
}

static void test_waits_for_the_whole_message(void)
{
	struct buf all, part;

	hello(&all, 300, 50);
	for (size_t n = 0; n < all.len; n++) {
		buf_init(&part, 0);
		buf_append(&part, all.data, n);
		INT_IS(tls_hello_join(part.data, &part.len), -EAGAIN);
		OK(part.len == n && !memcmp(part.data, all.data, n));
		buf_fini(&part);
	}
	buf_fini(&all);
}

static void test_leaves_what_is_none_to_the_library(void)
{
	static const char *const other[] = { "GET / HTTP/1.1\r\n", "\x16\x02\x01\x00\x01\x01",
		"\x15\x03\x01\x00\x02\x01\x00", "\x16\x03\x01\x00\x00", "\x16\x03\x01\xff\xff\x01",
		"\x16\x03\x01\x00\x04\x01\xff\xff\xff\x16" };
	static const size_t lens[] = { 16, 6, 7, 5, 6, 10 };

	for (size_t i = 0; i < 6; i++) {
		struct buf b;

		buf_init(&b, 0);
		buf_append(&b, other[i], lens[i]);
		INT_IS(tls_hello_join(b.data, &b.len), 0);
		OK(b.len == lens[i] && !memcmp(b.data, other[i], b.len));
		buf_fini(&b);
	}
}

static void test_leaves_what_no_record_holds(void)
{
	struct buf b;
	size_t len;

	hello(&b, 17000, 4000);
	len = b.len;
	INT_IS(tls_hello_join(b.data, &b.len), 0);
	INT_IS(b.len, len);
	buf_fini(&b);
}

int main(void)
{
	TAP_RUN(test_joins_records_of_any_size);
	TAP_RUN(test_waits_for_the_whole_message);
	TAP_RUN(test_leaves_what_is_none_to_the_library);
	TAP_RUN(test_leaves_what_no_record_holds);
	return tap_done();
}
