/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC A1: what wg_upsert and wg_remove accept. */
#include "apid/provision_request.h"
#include "tests/unit/tap.h"

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="

static struct prefix mitm_addresses[2], four_addresses[1];
static struct conf_tunnel tunnels[2] = {
	{ .name = (char *)"mitm", .addresses = { mitm_addresses, 2 } },
	{ .name = (char *)"four", .addresses = { four_addresses, 1 } },
};

static int parse(const char *body, struct provision_request *r, char why[128])
{
	why[0] = '\0';
	return provision_request_parse(body, strlen(body), tunnels, 2, r, why);
}

static void accepts(const char *body, const char *v4, const char *v6)
{
	struct provision_request r;
	char why[128], text[ADDR_STRLEN];

	if (parse(body, &r, why)) {
		STR_IS(why, "");
		return;
	}
	INT_IS(r.task, PROVISION_UPSERT);
	STR_IS(r.id, "a");
	STR_IS(r.public_key, KEY);
	addr_format(&r.addresses[0], text);
	STR_IS(text, v4);
	INT_IS(r.address_count, v6 ? 2 : 1);
	if (v6) {
		addr_format(&r.addresses[1], text);
		STR_IS(text, v6);
	}
}

static void refuses(const char *body, const char *reason)
{
	struct provision_request r;
	char why[128];

	OK(parse(body, &r, why));
	STR_IS(why, reason);
}

#define UPSERT(rest)   "{\"task\":\"wg_upsert\",\"id\":\"a\",\"publicKey\":\"" KEY "\"," rest "}"
#define ADDRESS(value) UPSERT("\"address\":" value)

static void test_upsert_takes_a_string_and_derives_v6(void)
{
	accepts(ADDRESS("\"10.9.0.5\""), "10.9.0.5", "fd09::5");
	accepts(ADDRESS("\"10.9.0.200/32\""), "10.9.0.200", "fd09::c8");
}

static void test_upsert_takes_an_array_in_any_order(void)
{
	accepts(ADDRESS("[\"10.9.0.5/32\"]"), "10.9.0.5", "fd09::5");
	accepts(ADDRESS("[\"fd09::77/128\",\"10.9.0.5\"]"), "10.9.0.5", "fd09::77");
}

static void test_derived_v6_has_the_whole_host_number(void)
{
	mitm_addresses[0].len = 16;
	accepts(ADDRESS("\"10.9.3.7\""), "10.9.3.7", "fd09::307");
	mitm_addresses[0].len = 24;
}

static void test_tunnel_without_v6_gets_v4_alone(void)
{
	accepts(UPSERT("\"mode\":\"four\",\"address\":\"10.8.0.5\""), "10.8.0.5", NULL);
	refuses(UPSERT("\"mode\":\"four\",\"address\":[\"10.8.0.5\",\"fd09::5\"]"),
		"address: not in the tunnel's network");
}

static void test_refuses_addresses_that_no_device_may_have(void)
{
	refuses(ADDRESS("\"10.9.0.1\""), "address: is the gateway's");
	refuses(ADDRESS("\"10.9.0.0\""), "address: is the network's own");
	refuses(ADDRESS("\"10.9.0.255\""), "address: is the broadcast address");
	refuses(ADDRESS("\"10.10.0.5\""), "address: not in the tunnel's network");
	refuses(ADDRESS("[\"10.9.0.5\",\"fd09::1\"]"), "address: is the gateway's");
	refuses(ADDRESS("[\"10.9.0.5\",\"fd09::\"]"), "address: is the network's own");
}

static void test_refuses_what_is_not_one_address_per_family(void)
{
	refuses(ADDRESS("\"10.9.0.5/24\""), "address: not one address");
	refuses(ADDRESS("\"10.9.0.5 \""), "address: not one address");
	refuses(ADDRESS("\"10.9.0\""), "address: not one address");
	refuses(ADDRESS("\"\""), "address: not one address");
	refuses(ADDRESS("[]"), "address: empty");
	refuses(ADDRESS("[[\"10.9.0.5\"]]"), "address: not a string");
	refuses(ADDRESS("7"), "address: not a string");
	refuses(ADDRESS("null"), "address: not a string");
	refuses(ADDRESS("[\"10.9.0.5\",\"10.9.0.6\"]"), "address: two of one family");
	refuses(ADDRESS("\"fd09::5\""), "address: the IPv4 address is missing");
}

static void test_refuses_missing_fields(void)
{
	refuses("{}", "task: missing");
	refuses("{\"task\":\"wg_upsert\"}", "id: missing");
	refuses("{\"task\":\"wg_upsert\",\"id\":\"a\",\"address\":\"10.9.0.5\"}",
		"publicKey: missing");
	refuses("{\"task\":\"wg_upsert\",\"id\":\"a\",\"publicKey\":\"" KEY "\"}",
		"address: missing");
}

static void test_refuses_bodies_that_are_no_object(void)
{
	static const char why[] = "body: not one JSON object with each field once";

	refuses("", why);
	refuses("[]", why);
	refuses("{\"task\":\"wg_remove\",\"id\":\"a\"", why);
	refuses("{\"task\":\"wg_remove\",\"id\":\"a\",\"id\":\"b\"}", why);
	refuses("{\"task\":\"wg_remove\",\"id\":\"a\"}x", why);
}

static void test_refuses_unknown_tasks_modes_and_fields(void)
{
	refuses("{\"task\":\"wg_list\",\"id\":\"a\"}", "task: neither wg_upsert nor wg_remove");
	refuses("{\"task\":1,\"id\":\"a\"}", "task: not a string");
	refuses(UPSERT("\"mode\":\"clean\",\"address\":\"10.9.0.5\""), "mode: no such tunnel");
	refuses(UPSERT("\"mode\":5,\"address\":\"10.9.0.5\""), "mode: not a string");
	refuses("{\"task\":\"wg_remove\",\"id\":\"a\",\"x\":1}",
		"body: a field that wg_upsert and wg_remove have not");
}

static void test_ids_are_of_64_plain_characters(void)
{
	char id[70];

	OK(device_id_is_good("a"));
	OK(device_id_is_good("A-z.0_9:x"));
	OK(!device_id_is_good(""));
	OK(!device_id_is_good("a b"));
	OK(!device_id_is_good("a/b"));
	OK(!device_id_is_good("\xc3\xa9"));
	memset(id, 'x', sizeof(id));
	id[64] = '\0';
	OK(device_id_is_good(id));
	id[64] = 'x';
	id[65] = '\0';
	OK(!device_id_is_good(id));
}

static void test_keys_are_canonical_base64_of_32_bytes(void)
{
	OK(public_key_is_good(KEY));
	OK(public_key_is_good("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="));
	/* all zero */
	OK(!public_key_is_good("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
	/* bits that no byte has */
	OK(!public_key_is_good("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF="));
	OK(!public_key_is_good("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg"));
	OK(!public_key_is_good("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dgg"));
	OK(!public_key_is_good("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D =="));
	OK(!public_key_is_good("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D-="));
	OK(!public_key_is_good(""));
}

static void test_remove_needs_an_id_alone(void)
{
	struct provision_request r;
	char why[128];

	INT_IS(parse("{\"task\":\"wg_remove\",\"id\":\"a\"}", &r, why), 0);
	INT_IS(r.task, PROVISION_REMOVE);
	refuses("{\"task\":\"wg_remove\"}", "id: missing");
}

int main(void)
{
	prefix_parse("10.9.0.1/24", &mitm_addresses[0]);
	prefix_parse("fd09::1/64", &mitm_addresses[1]);
	prefix_parse("10.8.0.1/24", &four_addresses[0]);
	TAP_RUN(test_upsert_takes_a_string_and_derives_v6);
	TAP_RUN(test_upsert_takes_an_array_in_any_order);
	TAP_RUN(test_derived_v6_has_the_whole_host_number);
	TAP_RUN(test_tunnel_without_v6_gets_v4_alone);
	TAP_RUN(test_refuses_addresses_that_no_device_may_have);
	TAP_RUN(test_refuses_what_is_not_one_address_per_family);
	TAP_RUN(test_refuses_missing_fields);
	TAP_RUN(test_refuses_bodies_that_are_no_object);
	TAP_RUN(test_refuses_unknown_tasks_modes_and_fields);
	TAP_RUN(test_ids_are_of_64_plain_characters);
	TAP_RUN(test_keys_are_canonical_base64_of_32_bytes);
	TAP_RUN(test_remove_needs_an_id_alone);
	return tap_done();
}
