/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC D1 (cookies), D5, D6, D7, D13 */
#include "dnsd/addresses.h"
#include "dnsd/answer.h"
#include "dnsd/cookie.h"
#include "dnsd/edit.h"
#include "dnsd/rebind_answer.h"
#include "dnsd/records.h"
#include "dnsd/safesearch.h"
#include "dnsd/upstream_cookie.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

static bool is_private(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return rebind_is_private(&a);
}

static void test_private_addresses_are_known_in_every_form(void)
{
	static const char *const yes[] = { "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255",
		"100.64.0.0", "100.127.255.255", "127.0.0.1", "169.254.1.1", "172.16.0.0",
		"172.31.255.255", "192.168.0.0", "255.255.255.255", "::", "::1", "::7f00:1",
		"fc00::", "fdff::1", "fe80::1", "febf::1", "fec0::1", "64:ff9b::10.0.0.1",
		"64:ff9b:1::8.8.8.8", "2002:c0a8:101::", "::ffff:0:10.0.0.1" };
	static const char *const no[] = { "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "192.169.0.0", "2001:db8::1", "64:ff9b::8.8.8.8",
		"2002:808:808::", "fbff::1", "fe00::1", "2606:4700::1111", "::ffff:0:8.8.8.8" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!is_private(yes[i]))
			printf("# %s\n", yes[i]);
		OK(is_private(yes[i]));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (is_private(no[i]))
			printf("# %s\n", no[i]);
		OK(!is_private(no[i]));
	}
}

static void test_own_prefixes_are_found_behind_nat64(void)
{
	struct prefix own = { .len = 24 };
	struct rebind r = { &own, 1 };
	uint8_t buf[512];
	struct message_writer w;
	struct question q = { .type = TYPE_AAAA, .klass = CLASS_IN };
	struct addr a;

	addr_parse("198.51.100.0", &own.addr);
	addr_parse("64:ff9b::198.51.100.7", &a);
	name_parse("a.example", &q.name);
	writer_init(&w, buf, sizeof(buf));
	writer_header(&w, 0, FLAG_QR);
	writer_question(&w, &q);
	writer_rr_begin(&w, SECTION_ANSWER, &q.name, TYPE_AAAA, CLASS_IN, 5);
	writer_bytes(&w, a.bytes, 16);
	writer_rr_end(&w);
	OK(!rebind_has_private(buf, w.len));
	struct addr found = rebind_find(&r, buf, w.len);
	OK(addr_equal(&found, &a));
}

static const char *safe(const struct rec_safe_search *want, const char *host)
{
	static char text[NAME_ESCAPED_MAX];
	struct safesearch s;

	safesearch_init(&s);
	const struct name *n = safesearch_find(&s, want, host, strlen(host));
	if (!n)
		return "";
	name_escape(n, text);
	return text;
}

static void test_search_engines_are_recognised(void)
{
	struct rec_safe_search want = { .google = true };

	STR_IS(safe(&want, "www.google.com"), "forcesafesearch.google.com.");
	STR_IS(safe(&want, "google.co.jp"), "forcesafesearch.google.com.");
	STR_IS(safe(&want, "www.google.com.au"), "forcesafesearch.google.com.");
	STR_IS(safe(&want, "google.cat"), "forcesafesearch.google.com.");
	STR_IS(safe(&want, "google."), "");
	STR_IS(safe(&want, "google"), "");
	STR_IS(safe(&want, "www."), "");
	STR_IS(safe(&want, "google.co."), "");
	STR_IS(safe(&want, "google.com.com"), "");
	STR_IS(safe(&want, "google.org"), "");
	STR_IS(safe(&want, "forcesafesearch.google.com"), "");
	STR_IS(safe(&want, "www.bing.com"), "");
	STR_IS(safe(&want, "www.youtube.com"), "");
}

static void test_closed_record_restricts_all(void)
{
	struct rec_safe_search want = { .head.closed = true };

	STR_IS(safe(&want, "duckduckgo.com"), "safe.duckduckgo.com.");
	STR_IS(safe(&want, "m.youtube.com"), "restrict.youtube.com.");
}

static int add(struct records *r, const char *id, char *name, char *type, char *value)
{
	struct rec_dns_record rec = { .name = name, .type = type, .value = value };
	int rc = records_set(r, id, &rec);

	return rc ? rc : records_index(r);
}

static void test_records_that_cannot_be_are_refused(void)
{
	static char *const bad[][3] = { { "", "A", "1.2.3.4" }, { "a..b", "A", "1.2.3.4" },
		{ "a b", "A", "1.2.3.4" }, { "*.", "A", "1.2.3.4" }, { "a", "A", "::1" },
		{ "a", "AAAA", "1.2.3.4" }, { "a", "A", "1.2.3.4 " }, { "a", "MX", "mail" },
		{ "a", "MX", "99999 mail" }, { "a", "MX", "-1 mail" }, { "a", "SRV", "1 2 mail" },
		{ "a", "CAA", "256 issue x" }, { "a", "CAA", "0 issue" }, { "a", "CNAME", "" },
		{ "a", "CNAME", "b..c" }, { "a", "ANY", "x" }, { "a", "", "x" } };
	struct records r;

	records_init(&r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = add(&r, "id", bad[i][0], bad[i][1], bad[i][2]);
		if (rc != -EINVAL)
			printf("# %s %s %s\n", bad[i][0], bad[i][1], bad[i][2]);
		INT_IS(rc, -EINVAL);
	}
	OK(!records_find(&r, "a", 1));
	records_fini(&r);
}

static void test_nearest_wildcard_wins_and_own_records_go_before(void)
{
	struct records r;
	const struct record *found;

	records_init(&r);
	INT_IS(add(&r, "1", "*.example", "A", "10.0.0.1"), 0);
	INT_IS(add(&r, "2", "*.sub.example", "A", "10.0.0.2"), 0);
	INT_IS(add(&r, "3", "x.sub.example.", "A", "10.0.0.3"), 0);
	found = records_find(&r, "a.b.example", 11);
	OK(found && found->rdata[3] == 1);
	found = records_find(&r, "y.sub.example", 13);
	OK(found && found->rdata[3] == 2);
	found = records_find(&r, "x.sub.example", 13);
	OK(found && found->rdata[3] == 3);
	OK(!records_find(&r, "example", 7));
	records_set(&r, "2", NULL);
	records_index(&r);
	found = records_find(&r, "y.sub.example", 13);
	OK(found && found->rdata[3] == 1);
	records_fini(&r);
}

static void test_long_text_is_cut_into_strings(void)
{
	char text[513];
	struct records r;

	memset(text, 'x', 512);
	text[512] = 0;
	records_init(&r);
	INT_IS(add(&r, "1", "t.example", "TXT", text), 0);
	const struct record *found = records_find(&r, "t.example", 9);
	OK(found && found->len == 515 && found->rdata[0] == 255 && found->rdata[512] == 2);
	INT_IS(add(&r, "1", "t.example", "TXT", ""), 0);
	found = records_find(&r, "t.example", 9);
	OK(found && found->len == 1);
	records_fini(&r);
}

static void test_edited_answer_has_the_alias_first_and_no_signature(void)
{
	uint8_t stored[512], out[512];
	struct message_writer w;
	struct question target = { .type = TYPE_A, .klass = CLASS_IN }, asked = target;
	struct edit e = { .question = &asked, .alias = &target.name, .alias_ttl_s = 300 };
	struct message_rr rr;
	size_t pos = MESSAGE_HEADER_LEN;

	name_parse("safe.example", &target.name);
	name_parse("www.search.example", &asked.name);
	writer_init(&w, stored, sizeof(stored));
	writer_header(&w, 0, FLAG_QR | FLAG_RA);
	writer_question(&w, &target);
	writer_rr_begin(&w, SECTION_ANSWER, &target.name, TYPE_RRSIG, CLASS_IN, 9);
	writer_bytes(&w, "\x00\x01sig", 5);
	writer_rr_end(&w);
	writer_rr_begin(&w, SECTION_ANSWER, &target.name, TYPE_A, CLASS_IN, 9);
	writer_bytes(&w, "\xc0\x00\x02\x01", 4);
	writer_rr_end(&w);
	e.age_s = 7;
	size_t len = edit_answer(&e, stored, w.len, out, sizeof(out));
	OK(len > 0);
	INT_IS(message_get16(out + 6), 2);
	name_skip(out, len, &pos);
	pos += 4;
	INT_IS(message_read_rr(out, len, &pos, &rr), 0);
	OK(rr.type == TYPE_CNAME && rr.ttl == 307 && name_equal(&rr.owner, &asked.name));
	INT_IS(message_read_rr(out, len, &pos, &rr), 0);
	OK(rr.type == TYPE_A && rr.ttl == 9 && name_equal(&rr.owner, &target.name));
	INT_IS(pos, len);
	INT_IS(edit_answer(&e, stored, w.len - 1, out, sizeof(out)), 0);
	INT_IS(edit_answer(&e, stored, w.len, out, 40), 0);
}

static void test_cookie_depends_on_client_address_and_secret(void)
{
	static const uint8_t secret[16] = { 1 }, other[16] = { 2 };
	uint8_t a[COOKIE_LEN] = "12345678", b[COOKIE_LEN] = "12345678", c[COOKIE_LEN] = "12345678";
	struct addr one, two;

	addr_parse("10.9.0.2", &one);
	addr_parse("10.9.0.3", &two);
	cookie_add(secret, &one, a);
	cookie_add(secret, &two, b);
	cookie_add(other, &one, c);
	OK(!memcmp(a, "12345678\x01\0\0\0", 12));
	OK(memcmp(a + 16, b + 16, 8) != 0);
	OK(memcmp(a + 16, c + 16, 8) != 0);
}

/* An answer with this rcode; its OPT holds a cookie of n bytes, or none when there are no bytes. */
static size_t write_cookie_answer(
	uint8_t out[static 512], unsigned rcode, const void *cookie, size_t n)
{
	struct question q = { .type = TYPE_A, .klass = CLASS_IN };
	struct opt_out opt = { .udp_size = 512, .rcode = (uint16_t)rcode, .ede = EDE_NONE };
	struct message_writer w;

	name_parse("a.example", &q.name);
	writer_init(&w, out, 512);
	writer_header(&w, 7, (uint16_t)(FLAG_QR | (rcode & FLAG_RCODE)));
	writer_question(&w, &q);
	writer_opt(&w, &opt);
	if (!n)
		return w.len;
	message_put16(out + w.rdlen_pos, (unsigned)(4 + n));
	writer_put16(&w, OPTION_COOKIE);
	writer_put16(&w, (unsigned)n);
	writer_bytes(&w, cookie, n);
	return w.len;
}

static enum cookie_says read_cookie(
	struct upstream_cookie *c, unsigned rcode, const void *cookie, size_t n)
{
	uint8_t msg[512];

	return upstream_cookie_read(c, msg, write_cookie_answer(msg, rcode, cookie, n));
}

static void test_answer_without_our_cookie_is_known(void)
{
	struct upstream_cookie c = { .ours = "OURSOUR" };
	static const uint8_t fits[40] = "OURSOUR\0their half", wrong[16] = "OTHEROT";

	INT_IS(read_cookie(&c, 0, NULL, 0), COOKIE_MISSING);
	INT_IS(read_cookie(&c, 0, fits, 8), COOKIE_MISSING); /* turned round */
	OK(!upstream_cookie_is_expected(&c));
	INT_IS(read_cookie(&c, 0, wrong, 16), COOKIE_WRONG);
	INT_IS(read_cookie(&c, 0, wrong, 8), COOKIE_WRONG);
	INT_IS(read_cookie(&c, 0, fits, 15), COOKIE_WRONG);
	OK(!upstream_cookie_is_expected(&c));
	INT_IS(read_cookie(&c, 0, fits, 40), COOKIE_FITS);
	OK(upstream_cookie_is_expected(&c));
	INT_IS(read_cookie(&c, RCODE_BADCOOKIE, fits, 16), COOKIE_NEW);
	INT_IS(c.theirs_len, 8);
	INT_IS(read_cookie(&c, RCODE_FORMERR, NULL, 0), COOKIE_MISSING);
	upstream_cookie_forget(&c);
	INT_IS(read_cookie(&c, RCODE_FORMERR, NULL, 0), COOKIE_REFUSED);
	INT_IS(upstream_cookie_read(&c, fits, 5), COOKIE_MISSING);
}

static void test_their_cookie_goes_with_the_next_question(void)
{
	struct upstream_cookie c = { .ours = "OURSOUR" };
	static const uint8_t theirs[24] = "OURSOUR\0their half 16 b";
	struct message_opt opt;
	uint8_t msg[512];
	size_t n = 0, len = write_cookie_answer(msg, 0, NULL, 0);

	INT_IS(upstream_cookie_add(&c, msg, len, len - 2), len + 12);
	INT_IS(message_get16(msg + len - 2), 12);
	OK(read_cookie(&c, 0, theirs, 24) == COOKIE_FITS);
	len = write_cookie_answer(msg, 0, NULL, 0);
	size_t with = upstream_cookie_add(&c, msg, len, len - 2);
	INT_IS(message_find_opt(msg, with, &opt), 0);
	const uint8_t *cookie =
		message_find_option(msg + opt.data_pos, opt.data_len, OPTION_COOKIE, &n);
	OK(cookie && n == 24 && !memcmp(cookie, theirs, 24));
	c.is_off = true;
	INT_IS(upstream_cookie_add(&c, msg, len, len - 2), len);
}

int main(void)
{
	TAP_RUN(test_private_addresses_are_known_in_every_form);
	TAP_RUN(test_own_prefixes_are_found_behind_nat64);
	TAP_RUN(test_search_engines_are_recognised);
	TAP_RUN(test_closed_record_restricts_all);
	TAP_RUN(test_records_that_cannot_be_are_refused);
	TAP_RUN(test_nearest_wildcard_wins_and_own_records_go_before);
	TAP_RUN(test_long_text_is_cut_into_strings);
	TAP_RUN(test_edited_answer_has_the_alias_first_and_no_signature);
	TAP_RUN(test_cookie_depends_on_client_address_and_secret);
	TAP_RUN(test_answer_without_our_cookie_is_known);
	TAP_RUN(test_their_cookie_goes_with_the_next_question);
	return tap_done();
}
