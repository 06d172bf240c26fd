/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P3: where a redirected connection was meant to go. */
#include <errno.h>

#include "proxyd/original.h"
#include "tests/unit/tap.h"

static struct prefix own[2];
static struct conf_tunnel tunnel = { .addresses = { own, 2 } };
static const struct proxyd_conf conf = { .shared = { .tunnels = &tunnel, .tunnel_count = 1 } };

static struct endpoint at(const char *text)
{
	struct endpoint e;

	OK(!endpoint_parse(text, &e));
	return e;
}

static void expect(const char *redirected, const char *local, const char *want)
{
	struct endpoint r, l, out;
	char text[ENDPOINT_STRLEN];

	if (redirected)
		r = at(redirected);
	if (local)
		l = at(local);
	int err = original_choose(redirected ? &r : NULL, local ? &l : NULL, &conf, &out);
	if (!want) {
		INT_IS(err, -EPERM);
		return;
	}
	INT_IS(err, 0);
	endpoint_format(&out, text);
	STR_IS(text, want);
}

static void test_nat_says_it(void)
{
	expect("198.51.100.1:443", "10.9.0.1:3129", "198.51.100.1:443");
	expect("[2001:db8::1]:443", "[fd09::1]:3129", "[2001:db8::1]:443");
}

static void test_the_socket_s_own_address_says_it_with_tproxy(void)
{
	expect(NULL, "198.51.100.1:443", "198.51.100.1:443");
	expect(NULL, "[2001:db8::1]:443", "[2001:db8::1]:443");
}

static void test_who_came_to_the_port_itself_is_refused(void)
{
	expect("10.9.0.1:3129", "10.9.0.1:3129", NULL);
	expect("[fd09::1]:3129", "[fd09::1]:3129", NULL);
	expect(NULL, "10.9.0.1:3129", NULL);
	expect(NULL, NULL, NULL);
}

int main(void)
{
	prefix_parse("10.9.0.1/24", &own[0]);
	prefix_parse("fd09::1/64", &own[1]);
	TAP_RUN(test_nat_says_it);
	TAP_RUN(test_the_socket_s_own_address_says_it_with_tproxy);
	TAP_RUN(test_who_came_to_the_port_itself_is_refused);
	return tap_done();
}
