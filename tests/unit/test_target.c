/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P1, P17: what a request's target may look like. */
#include "proxyd/target.h"
#include "tests/unit/tap.h"

static void test_authority_needs_host_and_port(void)
{
	struct target t;

	INT_IS(target_parse_authority("WWW.Example.org:443", &t), 0);
	STR_IS(t.host, "www.example.org");
	INT_IS(t.port, 443);
	INT_IS(target_parse_authority("[2001:DB8::1]:443", &t), 0);
	STR_IS(t.host, "2001:db8::1");
	INT_IS(target_parse_authority("example.org.:80", &t), 0);
	STR_IS(t.host, "example.org");
}

static void test_authority_refuses_what_is_none(void)
{
	static const char *const texts[] = { "", ":443", "example.org", "example.org:", "a:0",
		"a:65536", "a:443:443", "user@a:443", "a/b:443", "[::1]", "[::zz]:443", "::1:443",
		"a b:443", "a\n:443", ".a:443", "a..b:443", "a:4 3", "a:-1", "[a.example]:443",
		"a..:443", "a.example..:443", ".:443", "..:443", "1.2.3.4..:443" };
	struct target t;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		OK(target_parse_authority(texts[i], &t));
}

static void test_odd_spellings_of_addresses_are_refused(void)
{
	static const char *const texts[] = { "2130706433", "127.1", "0x7f.1", "0x7f000001",
		"0177.0.0.1", "1.2.3.4.5", "1.2.3.256", "a.1", "a.0x", "1.2.3.04" };
	struct target t;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		OK(target_parse_host(texts[i], 80, &t));
	OK(!target_parse_host("1.2.3.4", 80, &t));
	OK(!target_parse_host("1.example", 80, &t));
	OK(!target_parse_host("0x1.example1", 80, &t));
}

static void test_addresses_have_one_spelling(void)
{
	struct target t;

	INT_IS(target_parse_authority("[2001:DB8:0:0::0:1]:443", &t), 0);
	STR_IS(t.host, "2001:db8::1");
	INT_IS(target_parse_authority("[::ffff:1.2.3.4]:443", &t), 0);
	STR_IS(t.host, "1.2.3.4");
	INT_IS(target_parse_authority("[::ffff:102:304]:443", &t), 0);
	STR_IS(t.host, "1.2.3.4");
	INT_IS(target_parse_authority("1.2.3.4.:443", &t), 0);
	STR_IS(t.host, "1.2.3.4");
}

static void test_host_over_253_bytes_is_refused(void)
{
	char text[400];
	struct target t;

	memset(text, 'a', sizeof(text));
	memcpy(text + 254, ":443", 5);
	OK(target_parse_authority(text, &t));
	memcpy(text + 253, ":443", 5);
	OK(!target_parse_authority(text, &t));
}

static void test_url_gives_scheme_host_port_and_path(void)
{
	struct target t;

	INT_IS(target_parse_url("http://Example.org:8080/a?b=c", &t), 0);
	STR_IS(t.host, "example.org");
	INT_IS(t.port, 8080);
	STR_IS(t.path, "/a?b=c");
	OK(!t.is_https);
	INT_IS(target_parse_url("HTTPS://example.org", &t), 0);
	STR_IS(t.path, "/");
	INT_IS(t.port, 443);
	OK(t.is_https);
}

static void test_url_refuses_other_schemes_and_user_info(void)
{
	static const char *const texts[] = { "ftp://a/", "/path", "http://", "http:///x",
		"http://user:pass@a/", "http://a?x", "http://a#x", "*", "http//a/" };
	struct target t;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		OK(target_parse_url(texts[i], &t));
}

static void test_host_header_defaults_its_port(void)
{
	struct target t;

	INT_IS(target_parse_host("example.org", 443, &t), 0);
	INT_IS(t.port, 443);
	INT_IS(target_parse_host("example.org:81", 443, &t), 0);
	INT_IS(t.port, 81);
	OK(target_parse_host("a, b", 443, &t));
}

int main(void)
{
	TAP_RUN(test_authority_needs_host_and_port);
	TAP_RUN(test_authority_refuses_what_is_none);
	TAP_RUN(test_odd_spellings_of_addresses_are_refused);
	TAP_RUN(test_addresses_have_one_spelling);
	TAP_RUN(test_host_over_253_bytes_is_refused);
	TAP_RUN(test_url_gives_scheme_host_port_and_path);
	TAP_RUN(test_url_refuses_other_schemes_and_user_info);
	TAP_RUN(test_host_header_defaults_its_port);
	return tap_done();
}
