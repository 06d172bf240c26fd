/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses that no public name has any business to lead to (SPEC D7). */
#include "common/policy/rebind.h"
#include "tests/unit/tap.h"

static bool is_private(const char *text)
{
	struct addr a;

	OK(!addr_parse(text, &a));
	return rebind_is_private(&a);
}

static void test_private_addresses_are_those_of_the_table(void)
{
	static const char *const all[] = { "0.1.2.3", "10.255.0.1", "100.64.0.1", "100.127.255.255",
		"127.0.0.1", "169.254.1.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"255.255.255.255", "::", "::1", "64:ff9b:1::8.8.8.8", "fc00::1", "fdff::1",
		"fe80::1", "fec0::1" };
	static const char *const none[] = { "1.2.3.4", "9.255.255.255", "11.0.0.1",
		"100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.169.0.1",
		"255.255.255.254", "2001:db8::1", "64:ff9b:2::1", "fbff::1", "fe00::1" };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		OK(is_private(all[i]));
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		OK(!is_private(none[i]));
}

static void test_an_address_within_another_counts(void)
{
	OK(is_private("::10.0.0.1") && !is_private("::8.8.8.8"));
	OK(is_private("64:ff9b::10.0.0.1") && !is_private("64:ff9b::8.8.8.8"));
	OK(is_private("2002:0a00:1::1") && !is_private("2002:808:808::1"));
	OK(is_private("::ffff:0:10.0.0.1") && !is_private("::ffff:0:8.8.8.8"));
}

/* A LAN that is public elsewhere, and the gateway's own. */
struct world {
	struct settings settings;
	struct prefix lan[2], own;
	struct conf_tunnel tunnel;
	struct conf_shared conf;
};

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	OK(!prefix_parse("192.0.2.7/24", &w->lan[0]) && !prefix_parse("10.1.0.0/16", &w->lan[1]));
	OK(!prefix_parse("198.51.100.1/24", &w->own));
	w->settings.lan_prefixes = w->lan;
	w->settings.lan_prefix_count = 2;
	w->tunnel.addresses = (struct conf_prefixes){ &w->own, 1 };
	w->conf.tunnels = &w->tunnel;
	w->conf.tunnel_count = 1;
}

static bool is_found(const struct rebind *r, const char *text)
{
	struct addr a;

	OK(!addr_parse(text, &a));
	return rebind_is_found(r, &a);
}

static void test_the_lan_and_the_gateways_own_are_found(void)
{
	struct rebind r = { 0 };
	struct world w;

	world_init(&w);
	INT_IS(rebind_set(&r, &w.conf, &w.settings), 0);
	INT_IS(r.own_count, 2); /* 10.1.0.0/16 is in the table already */
	OK(is_found(&r, "192.0.2.1") && is_found(&r, "198.51.100.9") && is_found(&r, "10.0.0.1"));
	OK(is_found(&r, "64:ff9b::192.0.2.1") && !is_found(&r, "64:ff9b::192.0.3.1"));
	OK(!is_found(&r, "192.0.3.1") && !is_found(&r, "198.51.101.1"));
	w.settings.lan_prefix_count = 0;
	INT_IS(rebind_set(&r, &w.conf, &w.settings), 0);
	OK(!is_found(&r, "192.0.2.1") && is_found(&r, "198.51.100.9"));
	w.conf.tunnel_count = 0;
	INT_IS(rebind_set(&r, &w.conf, &w.settings), 0);
	INT_IS(r.own_count, 0);
	rebind_fini(&r);
	OK(!r.own);
}

static void test_inside_is_the_lan_alone(void)
{
	struct world w;
	struct addr lan, own, public;

	world_init(&w);
	addr_parse("192.0.2.9", &lan);
	addr_parse("198.51.100.9", &own);
	addr_parse("8.8.8.8", &public);
	OK(rebind_is_inside(&w.settings, &lan) && !rebind_is_inside(&w.settings, &own));
	OK(!rebind_is_inside(&w.settings, &public));
}

static bool is_exempt(const struct settings *s, const char *name)
{
	return rebind_is_exempt(s, name, strlen(name));
}

static void test_names_that_may_lead_there_are_whole_labels(void)
{
	char *names[] = { "", "nas.example" };
	struct settings s = { .rebind_exceptions = { names, 2 } };

	OK(is_exempt(&s, "nas.example") && is_exempt(&s, "a.nas.example"));
	OK(!is_exempt(&s, "xnas.example") && !is_exempt(&s, "example"));
	OK(!is_exempt(&s, "nas.example.com") && !is_exempt(&s, "public.com"));
	OK(is_exempt(&s, "local") && is_exempt(&s, "tv.local") && !is_exempt(&s, "notlocal"));
	OK(is_exempt(&s, "x.internal") && is_exempt(&s, "x.home.arpa") && !is_exempt(&s, "arpa"));
}

int main(void)
{
	TAP_RUN(test_private_addresses_are_those_of_the_table);
	TAP_RUN(test_an_address_within_another_counts);
	TAP_RUN(test_the_lan_and_the_gateways_own_are_found);
	TAP_RUN(test_inside_is_the_lan_alone);
	TAP_RUN(test_names_that_may_lead_there_are_whole_labels);
	return tap_done();
}
