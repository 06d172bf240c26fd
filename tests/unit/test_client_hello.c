/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P3, P15: the name in a ClientHello, however it is cut into records. */
#include <errno.h>

#include "common/buf.h"
#include "proxyd/client_hello.h"
#include "tests/unit/tap.h"

static void put(struct buf *b, unsigned value, int bytes)
{
	while (bytes--)
		buf_append_byte(b, (uint8_t)(value >> 8 * bytes));
}

static void put_name(struct buf *exts, const char *name)
{
	size_t len = strlen(name);

	put(exts, 0, 2);
	put(exts, (unsigned)len + 5, 2);
	put(exts, (unsigned)len + 3, 2);
	put(exts, 0, 1);
	put(exts, (unsigned)len, 2);
	buf_append_str(exts, name);
}

/* A hello with these extensions, in records of at most `cut` bytes. */
static void make(struct buf *out, const struct buf *exts, size_t cut)
{
	struct buf body, msg;

	buf_init(&body, 0);
	put(&body, 0x0303, 2);
	for (int i = 0; i < 32; i++)
		put(&body, 7, 1);
	put(&body, 0, 1);
	put(&body, 2, 2);
	put(&body, 0x1301, 2);
	put(&body, 1, 1);
	put(&body, 0, 1);
	if (exts) {
		put(&body, (unsigned)exts->len, 2);
		buf_append(&body, exts->data, exts->len);
	}
	buf_init(&msg, 0);
	put(&msg, 1, 1);
	put(&msg, (unsigned)body.len, 3);
	buf_append(&msg, body.data, body.len);
	buf_init(out, 0);
	for (size_t at = 0; at < msg.len; at += cut) {
		size_t n = msg.len - at < cut ? msg.len - at : cut;
		put(out, 0x160301, 3);
		put(out, (unsigned)n, 2);
		buf_append(out, msg.data + at, n);
	}
	buf_fini(&msg);
	buf_fini(&body);
}

static int parse_named(const char *first, const char *second, size_t cut, struct client_hello *h)
{
	struct buf exts, b;
	int err;

	buf_init(&exts, 0);
	put(&exts, 0xfe0d, 2);
	put(&exts, 0, 2);
	if (first)
		put_name(&exts, first);
	if (second)
		put_name(&exts, second);
	make(&b, &exts, cut);
	err = client_hello_parse(b.data, b.len, h);
	buf_fini(&b);
	buf_fini(&exts);
	return err;
}

static void test_finds_the_name_however_cut(void)
{
	struct client_hello h;

	for (size_t cut = 1; cut < 120; cut++) {
		INT_IS(parse_named("WWW.Example.org.", NULL, cut, &h), 0);
		STR_IS(h.sni, "www.example.org");
		OK(h.has_ech);
	}
}

static void test_every_part_of_a_hello_needs_more(void)
{
	struct client_hello h;
	struct buf exts, b;

	buf_init(&exts, 0);
	put_name(&exts, "a.example");
	make(&b, &exts, 20);
	for (size_t len = 0; len < b.len; len++)
		INT_IS(client_hello_parse(b.data, len, &h), -EAGAIN);
	INT_IS(client_hello_parse(b.data, b.len, &h), 0);
	buf_append(&b, "early data", 10);
	INT_IS(client_hello_parse(b.data, b.len, &h), 0);
	buf_fini(&b);
	buf_fini(&exts);
}

static void test_hello_without_a_name_is_one(void)
{
	struct client_hello h;
	struct buf b;

	INT_IS(parse_named(NULL, NULL, 1000, &h), 0);
	STR_IS(h.sni, "");
	make(&b, NULL, 1000);
	INT_IS(client_hello_parse(b.data, b.len, &h), 0);
	OK(!h.has_ech);
	buf_fini(&b);
}

static void test_refuses_two_names_and_bad_ones(void)
{
	static const char *const bad[] = { "", ".", "a b", "a/b", "a\n", "\xc3\xa4.example",
		"[::1]", "a..", "a.example..", ".a.example", "a..example" };
	struct client_hello h;
	char text[400];

	INT_IS(parse_named("a.example", "b.example", 1000, &h), -EPROTO);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		INT_IS(parse_named(bad[i], NULL, 1000, &h), -EPROTO);
	memset(text, 'a', 300);
	text[300] = '\0';
	INT_IS(parse_named(text, NULL, 1000, &h), -EPROTO);
}

static void test_refuses_what_is_no_hello(void)
{
	static const struct {
		const char *data;
		size_t len;
	} bad[] = { { "SSH-2.0", 7 }, { "GET / HTTP/1.1\r\n", 16 }, { "\x16\x02\x00\x00\x05", 5 },
		{ "\x16\x03\x01\x00\x00", 5 }, { "\x16\x03\x01\x40\x01", 5 },
		{ "\x16\x03\x01\x00\x01\x02", 6 }, { "\x17\x03\x03\x00\x05", 5 },
		{ "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10 } };
	struct client_hello h;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		INT_IS(client_hello_parse((const uint8_t *)bad[i].data, bad[i].len, &h), -EPROTO);
}

static void test_refuses_a_hello_over_the_limit(void)
{
	static uint8_t data[3 * (5 + 16384)];
	struct client_hello h;

	for (size_t at = 0; at < sizeof(data); at += 5 + 16384)
		memcpy(data + at, "\x16\x03\x01\x40\x00", 5);
	memcpy(data + 5, "\x01\x00\xc0\x00", 4);
	INT_IS(client_hello_parse(data, CLIENT_HELLO_MAX - 1, &h), -EAGAIN);
	INT_IS(client_hello_parse(data, CLIENT_HELLO_MAX, &h), -EPROTO);
	INT_IS(client_hello_parse(data, sizeof(data), &h), -EPROTO);
}

static void test_tells_protocols_and_length(void)
{
	static const uint8_t alpn[] = { 0, 16, 0, 15, 0, 13, 2, 'h', '2', 8, 'h', 't', 't', 'p',
		'/', '1', '.', '1', 0 };
	struct client_hello h;
	struct buf exts, b;

	buf_init(&exts, 0);
	buf_append(&exts, alpn, sizeof(alpn) - 1);
	exts.data[3] = 14;
	exts.data[5] = 12;
	make(&b, &exts, 30);
	buf_append(&b, "more", 4);
	INT_IS(client_hello_parse(b.data, b.len, &h), 0);
	STR_IS(h.alpn, "h2,http/1.1,");
	INT_IS(h.len, b.len - 4);
	OK(client_hello_offers(&h, "h2"));
	OK(client_hello_offers(&h, "http/1.1"));
	OK(!client_hello_offers(&h, "http/1"));
	OK(!client_hello_offers(&h, "dot"));
	buf_fini(&b);
	buf_fini(&exts);
}

static void test_refuses_a_second_message_in_its_record(void)
{
	struct client_hello h;
	struct buf exts, b;

	buf_init(&exts, 0);
	put_name(&exts, "a.example");
	make(&b, &exts, 1000);
	buf_append(&b, "\x01", 1);
	b.data[4]++;
	INT_IS(client_hello_parse(b.data, b.len - 1, &h), -EPROTO);
	INT_IS(client_hello_parse(b.data, b.len, &h), -EPROTO);
	buf_fini(&b);
	buf_fini(&exts);
}

static void test_second_hello_may_follow_other_records(void)
{
	static const char before[] = "\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x03"
				     "abc";
	struct client_hello h;
	struct buf exts, b, all;

	buf_init(&exts, 0);
	put_name(&exts, "a.example");
	make(&b, &exts, 20);
	buf_init(&all, 0);
	buf_append(&all, before, sizeof(before) - 1);
	buf_append(&all, b.data, b.len);
	INT_IS(client_hello_parse(all.data, all.len, &h), -EPROTO);
	for (size_t len = 0; len < all.len; len++)
		INT_IS(client_hello_parse_second(all.data, len, &h), -EAGAIN);
	INT_IS(client_hello_parse_second(all.data, all.len, &h), 0);
	STR_IS(h.sni, "a.example");
	INT_IS(h.len, all.len);
	INT_IS(client_hello_parse_second((const uint8_t *)"\x15\x03\x03\x00\x02", 5, &h), -EPROTO);
	buf_fini(&all);
	buf_fini(&b);
	buf_fini(&exts);
}

/* Each byte that comes has all of it read again. */
static void test_refuses_a_hello_in_very_many_records(void)
{
	struct client_hello h;
	struct buf exts, b;

	for (size_t len = 900; len <= 1000; len += 100) {
		buf_init(&exts, 0);
		put(&exts, 21, 2); /* padding */
		put(&exts, (unsigned)len, 2);
		for (size_t i = 0; i < len; i++)
			put(&exts, 0, 1);
		make(&b, &exts, 1);
		INT_IS(client_hello_parse(b.data, b.len, &h), len == 900 ? 0 : -EPROTO);
		buf_fini(&b);
		buf_fini(&exts);
	}
}

static void test_a_number_is_no_name_unless_it_is_an_address(void)
{
	static const struct {
		const char *name;
		int want;
	} tries[] = { { "192.0.2.1", 0 }, { "192.0.2.01", -EPROTO }, { "192.0.2", -EPROTO },
		{ "3221225985", -EPROTO }, { "0xc0.0.2.1", -EPROTO }, { "a.0x1", -EPROTO },
		{ "a.1b", 0 }, { "1.2.3.4.example", 0 } };
	struct client_hello h;
	struct buf exts, b;

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		buf_init(&exts, 0);
		put_name(&exts, tries[i].name);
		make(&b, &exts, 16384);
		INT_IS(client_hello_parse(b.data, b.len, &h), tries[i].want);
		buf_fini(&b);
		buf_fini(&exts);
	}
}

int main(void)
{
	TAP_RUN(test_tells_protocols_and_length);
	TAP_RUN(test_refuses_a_second_message_in_its_record);
	TAP_RUN(test_second_hello_may_follow_other_records);
	TAP_RUN(test_finds_the_name_however_cut);
	TAP_RUN(test_every_part_of_a_hello_needs_more);
	TAP_RUN(test_hello_without_a_name_is_one);
	TAP_RUN(test_refuses_two_names_and_bad_ones);
	TAP_RUN(test_refuses_what_is_no_hello);
	TAP_RUN(test_refuses_a_hello_over_the_limit);
	TAP_RUN(test_refuses_a_hello_in_very_many_records);
	TAP_RUN(test_a_number_is_no_name_unless_it_is_an_address);
	return tap_done();
}
