/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ports of the egress guard (F13) and forms of addresses that nobody uses (F2, F14). */
#include "common/policy/settings.h"
#include "fwd/egress.h"
#include "fwd/special.h"
#include "tests/unit/tap.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

static void test_a_port_has_a_protocol(void)
{
	static const char *const wrong[] = { "80", "tcp", "tcp:", "tcp:0", "tcp:65536", "sctp:80",
		"udp:5-4", "udp:5-", "tcp:80 ", "tcp:-80", "tcp:80-90-100", "" };
	struct port_spec p;
	INT_IS(port_spec_parse("tcp:80", &p), 0);
	OK(p.protocol == IPPROTO_TCP && p.from == 80 && p.to == 80);
	INT_IS(port_spec_parse("tcp:080", &p), 0);
	INT_IS(p.from, 80);
	INT_IS(port_spec_parse("udp:5000-5010", &p), 0);
	OK(p.protocol == IPPROTO_UDP && p.from == 5000 && p.to == 5010);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		INT_IS(port_spec_parse(wrong[i], &p), -EINVAL);
}

static void apply(struct settings *s, const char *key, const char *json)
{
	struct rec_setting rec = { .id = (char *)key, .value = cJSON_Parse(json) };
	settings_apply(s, key, &rec);
	cJSON_Delete(rec.value);
}

static void test_a_wrong_setting_is_the_default(void)
{
	struct settings s;
	settings_init(&s);
	size_t denied = s.egress_denied_ports.n, web = s.egress_web_ports.n;
	OK(denied > 10 && web > 3);
	apply(&s, "egress_web_ports", "[\"tcp:443\"]");
	INT_IS(s.egress_web_ports.n, 1);
	apply(&s, "egress_web_ports", "[\"tcp:443\", \"udp\"]");
	INT_IS(s.egress_web_ports.n, web);
	apply(&s, "egress_denied_ports", "[]");
	INT_IS(s.egress_denied_ports.n, 0);
	apply(&s, "egress_denied_ports", "\"tcp:1\"");
	INT_IS(s.egress_denied_ports.n, denied);
	INT_IS(settings_apply(&s, "egress_web_port", NULL), -ENOENT);
	settings_apply(&s, "egress_web_ports", NULL);
	INT_IS(s.egress_web_ports.n, web);
	settings_fini(&s);
}

static bool has(const struct elements *e, enum set_id id, uint8_t high, uint8_t low)
{
	return elements_get(e, id, (uint8_t[]){ high, low }, NULL);
}

static void test_ports_become_ranges_of_their_protocol(void)
{
	struct elements e;
	char *v[] = { "tcp:80", "tcp:81-90", "udp:53", "tcp:65535" };
	struct rec_strs ports = { v, 4 }, none = { 0 };
	elements_init(&e);
	INT_IS(egress_set_ports(&e, &ports, &none), 0);
	OK(has(&e, SET_DENIED_TCP, 0, 80) && has(&e, SET_DENIED_UDP, 0, 53));
	OK(has(&e, SET_DENIED_TCP, 255, 255));
	/* 80 to 90 are one: two starts and one end, since 65535 has none. */
	INT_IS(elements_count(&e, SET_DENIED_TCP), 3);
	INT_IS(elements_count(&e, SET_WEB_TCP), 0);
	INT_IS(egress_set_ports(&e, &none, &ports), 0);
	INT_IS(elements_count(&e, SET_DENIED_TCP), 0);
	elements_fini(&e);
}

static void test_nat64_holds_the_address(void)
{
	struct prefix p, want;
	prefix_parse("10.0.0.0/8", &p);
	prefix_parse("64:ff9b::a00:0/104", &want);
	p = special_nat64(&p);
	INT_IS(p.len, want.len);
	OK(addr_equal(&p.addr, &want.addr));
}

static bool covers(int (*add)(struct ranges *r), const char *text)
{
	struct addr a;
	struct ranges r;
	bool in = false;
	addr_parse(text, &a);
	ranges_init(&r, a.family);
	add(&r);
	ranges_normalise(&r);
	for (size_t i = 0; i < r.n; i++)
		in = in || (memcmp(r.v[i].from, a.bytes, r.addr_len) <= 0 &&
				   memcmp(r.v[i].to, a.bytes, r.addr_len) >= 0);
	ranges_fini(&r);
	return in;
}

static void test_what_gets_round_is_covered(void)
{
	static const char *const both[] = { "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b::c0a8:1",
		"64:ff9b:1::808:808", "2002:a00:1::", "2001::1", "::1", "::a00:1",
		"::ffff:0:a00:1" };
	static const char *const local[] = { "127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1",
		"255.255.255.255", "fe80::1", "ff02::1", "64:ff9b::808:808" };
	static const char *const fine[] = { "8.8.8.8", "10.0.0.1", "2606:4700::1111", "fd09::2" };
	for (size_t i = 0; i < sizeof(both) / sizeof(*both); i++)
		OK(covers(special_add_guarded, both[i]) && covers(special_add_embedded, both[i]));
	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		OK(covers(special_add_guarded, local[i]));
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
		OK(!covers(special_add_guarded, fine[i]) && !covers(special_add_embedded, fine[i]));
	OK(!covers(special_add_embedded, "64:ff9b::808:808"));
}

int main(void)
{
	TAP_RUN(test_a_port_has_a_protocol);
	TAP_RUN(test_a_wrong_setting_is_the_default);
	TAP_RUN(test_ports_become_ranges_of_their_protocol);
	TAP_RUN(test_nat64_holds_the_address);
	TAP_RUN(test_what_gets_round_is_covered);
	return tap_done();
}
