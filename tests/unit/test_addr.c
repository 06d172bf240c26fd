/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/addr.h"
#include "tests/unit/tap.h"

static bool contains(const char *prefix, const char *addr)
{
	struct prefix p;
	struct addr a;

	return !prefix_parse(prefix, &p) && !addr_parse(addr, &a) && prefix_contains(&p, &a);
}

static void test_formats_what_it_parses(void)
{
	static const char *const texts[] = { "10.9.0.1", "::1", "fd09::2", "255.255.255.255" };
	char out[ADDR_STRLEN];
	struct addr a;

	for (size_t i = 0; i < 4; i++) {
		OK(!addr_parse(texts[i], &a));
		addr_format(&a, out);
		STR_IS(out, texts[i]);
	}
}

static void test_rejects_what_is_no_address(void)
{
	static const char *const texts[] = { "", "1.2.3", "1.2.3.4 ", " 1.2.3.4", "1.2.3.256",
		"1.2.3.4:53", "fe80::1%eth0", "example.org", "01.2.3.4", ":::" };
	struct addr a;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		OK(addr_parse(texts[i], &a));
}

static void test_mapped_address_is_ipv4(void)
{
	struct addr a, b;

	OK(!addr_parse("::ffff:10.9.0.1", &a) && !addr_parse("10.9.0.1", &b));
	OK(addr_equal(&a, &b));
}

static void test_prefix_contains_up_to_its_length(void)
{
	OK(contains("10.9.0.0/24", "10.9.0.255"));
	OK(!contains("10.9.0.0/24", "10.9.1.0"));
	OK(contains("10.9.0.1/24", "10.9.0.7"));
	OK(contains("0.0.0.0/0", "1.2.3.4"));
	OK(!contains("0.0.0.0/0", "::1"));
	OK(contains("100.64.0.0/10", "100.127.255.255"));
	OK(!contains("100.64.0.0/10", "100.128.0.0"));
	OK(contains("fc00::/7", "fd09::2"));
	OK(contains("fd09::2/128", "fd09::2"));
	OK(!contains("fd09::2/128", "fd09::3"));
}

static void test_prefix_rejects_bad_lengths(void)
{
	static const char *const texts[] = { "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129",
		"10.0.0.0/8/8", "/8", "10.0.0.0/ 8", "10.0.0.0/000008" };
	struct prefix p;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		OK(prefix_parse(texts[i], &p));
}

static void test_network_clears_host_bits(void)
{
	struct prefix p, n;
	char out[PREFIX_STRLEN];

	OK(!prefix_parse("10.9.7.255/20", &p));
	n = prefix_network(&p);
	prefix_format(&n, out);
	STR_IS(out, "10.9.0.0/20");
}

static void test_endpoint_round_trip(void)
{
	static const char *const texts[] = { "1.1.1.1:853", "[fd09::1]:53" };
	char out[ENDPOINT_STRLEN];
	struct endpoint e;

	for (size_t i = 0; i < 2; i++) {
		OK(!endpoint_parse(texts[i], &e));
		endpoint_format(&e, out);
		STR_IS(out, texts[i]);
	}
}

static void test_endpoint_rejects_missing_or_wrong_port(void)
{
	static const char *const texts[] = { "1.1.1.1", "1.1.1.1:", "1.1.1.1:0", "1.1.1.1:65536",
		"fd09::1:53", "[fd09::1]", "[fd09::1]53", ":53", "1.1.1.1:53x" };
	struct endpoint e;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		OK(endpoint_parse(texts[i], &e));
}

static void test_sockaddr_round_trip(void)
{
	struct sockaddr_storage ss;
	struct addr a, b;

	OK(!addr_parse("fd09::9", &a));
	INT_IS(addr_to_sockaddr(&a, 4711, &ss), sizeof(struct sockaddr_in6));
	b = addr_from_sockaddr((const struct sockaddr *)&ss);
	OK(addr_equal(&a, &b));
	INT_IS(sockaddr_port((const struct sockaddr *)&ss), 4711);
}

static void test_list_is_all_addresses_or_none(void)
{
	struct addr a[2];

	INT_IS(addr_parse_list("", a, 2), 0);
	INT_IS(addr_parse_list(" 10.9.0.1, fd09::1 ", a, 2), 2);
	OK(a[0].family == AF_INET && a[1].family == AF_INET6);
	INT_IS(addr_parse_list("10.9.0.1 10.9.0.2,10.9.0.3", a, 2), 0);
	INT_IS(addr_parse_list("10.9.0.1,name.example", a, 2), 0);
}

int main(void)
{
	TAP_RUN(test_formats_what_it_parses);
	TAP_RUN(test_rejects_what_is_no_address);
	TAP_RUN(test_mapped_address_is_ipv4);
	TAP_RUN(test_prefix_contains_up_to_its_length);
	TAP_RUN(test_prefix_rejects_bad_lengths);
	TAP_RUN(test_network_clears_host_bits);
	TAP_RUN(test_endpoint_round_trip);
	TAP_RUN(test_endpoint_rejects_missing_or_wrong_port);
	TAP_RUN(test_sockaddr_round_trip);
	TAP_RUN(test_list_is_all_addresses_or_none);
	return tap_done();
}
