/* SPDX-License-Identifier: GPL-3.0-or-later */
/* F2: LAN and its complement as intervals. */
#include "fwd/range.h"
#include "tests/unit/tap.h"

static struct ranges make(int family, const char *const *prefixes)
{
	struct ranges r;
	ranges_init(&r, family);
	for (; *prefixes; prefixes++) {
		struct prefix p;
		INT_IS(prefix_parse(*prefixes, &p), 0);
		INT_IS(ranges_add(&r, &p), 0);
	}
	ranges_normalise(&r);
	return r;
}

/* "from-to from-to" */
static void format(const struct ranges *r, char *out, size_t len)
{
	size_t at = 0;
	out[0] = 0;
	for (size_t i = 0; i < r->n; i++) {
		int family = r->addr_len == 4 ? AF_INET : AF_INET6;
		struct addr from = addr_from_bytes(family, r->v[i].from);
		struct addr to = addr_from_bytes(family, r->v[i].to);
		char a[ADDR_STRLEN], b[ADDR_STRLEN];
		addr_format(&from, a);
		addr_format(&to, b);
		at += (size_t)snprintf(out + at, len - at, "%s%s-%s", i ? " " : "", a, b);
	}
}

static void is(int family, const char *const *prefixes, const char *want, const char *want_rest)
{
	char text[512];
	struct ranges r = make(family, prefixes), rest;
	format(&r, text, sizeof(text));
	STR_IS(text, want);
	INT_IS(ranges_complement(&r, &rest), 0);
	format(&rest, text, sizeof(text));
	STR_IS(text, want_rest);
	ranges_fini(&r);
	ranges_fini(&rest);
}

static void test_host_bits_are_cleared(void)
{
	is(AF_INET, (const char *const[]){ "10.9.0.1/24", NULL }, "10.9.0.0-10.9.0.255",
		"0.0.0.0-10.8.255.255 10.9.1.0-255.255.255.255");
}

static void test_overlapping_and_adjacent_are_joined(void)
{
	is(AF_INET,
		(const char *const[]){
			"11.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/16", NULL },
		"10.0.0.0-11.255.255.255 192.168.0.0-192.168.255.255",
		"0.0.0.0-9.255.255.255 12.0.0.0-192.167.255.255 192.169.0.0-255.255.255.255");
}

static void test_nothing_leaves_everything(void)
{
	is(AF_INET, (const char *const[]){ NULL }, "", "0.0.0.0-255.255.255.255");
	is(AF_INET, (const char *const[]){ "0.0.0.0/0", "10.0.0.0/8", NULL },
		"0.0.0.0-255.255.255.255", "");
}

static void test_ends_of_the_space(void)
{
	is(AF_INET, (const char *const[]){ "0.0.0.0/8", "255.0.0.0/8", NULL },
		"0.0.0.0-0.255.255.255 255.0.0.0-255.255.255.255", "1.0.0.0-254.255.255.255");
	is(AF_INET, (const char *const[]){ "255.255.255.255", NULL },
		"255.255.255.255-255.255.255.255", "0.0.0.0-255.255.255.254");
}

static void test_families_do_not_mix(void)
{
	is(AF_INET6, (const char *const[]){ "10.0.0.0/8", "fc00::/7", "fe80::/10", NULL },
		"fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"::-fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"fe00::-fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"fec0::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

int main(void)
{
	TAP_RUN(test_host_bits_are_cleared);
	TAP_RUN(test_overlapping_and_adjacent_are_joined);
	TAP_RUN(test_nothing_leaves_everything);
	TAP_RUN(test_ends_of_the_space);
	TAP_RUN(test_families_do_not_mix);
	return tap_done();
}
