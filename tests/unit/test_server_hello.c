/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P3: is a server's first answer a HelloRetryRequest? */
#include <errno.h>
#include <string.h>

#include "proxyd/server_hello.h"
#include "tests/unit/tap.h"

static const uint8_t retry[32] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e,
	0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };

#define BODY 40

/* A ServerHello in records of at most `cut` bytes, with `more` bytes behind it in the last. */
static size_t make(uint8_t *out, const uint8_t *random, size_t cut, size_t more)
{
	uint8_t message[4 + BODY + 16] = { 2, 0, 0, BODY, 3, 3 };
	size_t len = 4 + BODY + more, n = 0;

	memcpy(message + 6, random, 32);
	for (size_t at = 0; at < len; at += cut) {
		size_t part = len - at < cut ? len - at : cut;
		memcpy(out + n, "\x16\x03\x03\x00", 4);
		out[n + 4] = (uint8_t)part;
		memcpy(out + n + 5, message + at, part);
		n += 5 + part;
	}
	return n;
}

static void test_a_retry_is_known_however_cut(void)
{
	uint8_t data[600];
	bool is_retry;

	for (size_t cut = 1; cut < 60; cut++) {
		size_t len = make(data, retry, cut, 0);
		for (size_t part = 0; part < len; part++)
			INT_IS(server_hello_parse(data, part, &is_retry), -EAGAIN);
		INT_IS(server_hello_parse(data, len, &is_retry), 0);
		OK(is_retry);
	}
}

static void test_another_hello_is_none_whatever_follows(void)
{
	uint8_t random[32], data[600];
	bool is_retry;

	for (size_t i = 0; i < 32; i++) {
		memcpy(random, retry, 32);
		random[i] ^= 1;
		INT_IS(server_hello_parse(data, make(data, random, 100, 10), &is_retry), 0);
		OK(!is_retry);
	}
}

static void test_an_alert_is_none(void)
{
	bool is_retry;

	INT_IS(server_hello_parse((const uint8_t *)"\x15\x03\x03\x00\x02\x02\x28", 7, &is_retry),
		0);
	OK(!is_retry);
}

static void test_refuses_what_is_no_answer(void)
{
	static const char *const bad[] = { "HTTP/1.1 400 Bad", "\x17\x03\x03\x01\x01",
		"\x16\x03\x03\x01\x01\x01", "\x16\x02\x03\x01\x01", "\x14\x03\x03\x01\x01" };
	bool is_retry;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		INT_IS(server_hello_parse((const uint8_t *)bad[i], strlen(bad[i]), &is_retry),
			-EPROTO);
}

int main(void)
{
	TAP_RUN(test_a_retry_is_known_however_cut);
	TAP_RUN(test_another_hello_is_none_whatever_follows);
	TAP_RUN(test_an_alert_is_none);
	TAP_RUN(test_refuses_what_is_no_answer);
	return tap_done();
}
