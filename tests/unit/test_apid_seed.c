/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC A7: the seed file is checked whole, and errors name topic, record and field. */
#include "apid/api_keys.h"
#include "apid/seed.h"
#include "tests/unit/tap.h"

#include <errno.h>

static struct prefix addresses[2];
static struct conf_tunnel tunnel = {
	.name = (char *)"mitm", .gateway = (char *)"", .addresses = { addresses, 2 }
};

static void refuses(const char *text, const char *reason)
{
	struct seed *s = NULL;
	struct buf err;

	buf_init(&err, 0);
	INT_IS(seed_parse("seed", text, strlen(text), &tunnel, 1, &s, &err), -EINVAL);
	OK(!s);
	STR_IS(err.data ? (const char *)err.data : "", reason);
	buf_fini(&err);
}

static void test_reads_topics_that_apid_keeps(void)
{
	static const char text[] =
		"{\"settings\":[{\"id\":\"endpoint\",\"value\":\"h\"}],"
		"\"devices\":[{\"id\":\"a\",\"tunnel\":\"mitm\",\"addresses\":[\"10.9.0.2\",\"fd09:"
		":2\"]}],"
		"\"device_keys\":[{\"id\":\"a\",\"public_key\":"
		"\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"}],"
		"\"profiles\":[{\"name\":\"p\",\"rules\":[]}],\"list_sources\":[]}";
	struct seed *s = NULL;
	struct buf err;

	buf_init(&err, 0);
	INT_IS(seed_parse("seed", text, strlen(text), &tunnel, 1, &s, &err), 0);
	OK(s && strlen(s->digest) == 64);
	seed_free(s);
	buf_fini(&err);
}

static void test_refuses_what_is_no_object_of_arrays(void)
{
	refuses("", "seed: not one JSON object with each field once");
	refuses("[]", "seed: not one JSON object with each field once");
	refuses("{\"groups\":[],\"groups\":[]}", "seed: not one JSON object with each field once");
	refuses("{\"groups\":{}}", "seed: groups: not an array");
}

static void test_refuses_topics_of_others(void)
{
	refuses("{\"lists\":[]}", "seed: lists: no topic that a seed may hold");
	refuses("{\"tunnels\":[]}", "seed: tunnels: no topic that a seed may hold");
	refuses("{\"watch\":[]}", "seed: watch: no topic that a seed may hold");
}

static void test_names_record_and_field(void)
{
	refuses("{\"categories\":[{\"id\":\"a\"},{\"id\":\"b\",\"default\":\"deny\"}]}",
		"seed: categories[1] b: category.default: unknown value");
	refuses("{\"categories\":[{\"id\":\"a\",\"colour\":1}]}",
		"seed: categories[0] a: category.colour: unknown field");
	refuses("{\"websites\":[{\"id\":\"w\",\"category\":\"a\"}]}",
		"seed: websites[0] w: website.pattern: missing");
	refuses("{\"groups\":[{}]}", "seed: groups[0]: group.id: missing");
	refuses("{\"groups\":[{\"id\":\"g\"},{\"id\":\"g\"}]}",
		"seed: groups[1] g: group.id: is there twice");
}

static void test_checks_devices_against_tunnels(void)
{
	refuses("{\"devices\":[{\"id\":\"a\",\"tunnel\":\"x\",\"addresses\":[]}]}",
		"seed: devices[0] a: device.tunnel: x is no tunnel of the configuration");
	refuses("{\"devices\":[{\"id\":\"a\",\"addresses\":[\"10.8.0.2\"]}]}",
		"seed: devices[0] a: device.addresses: 10.8.0.2 not in the tunnel's network");
	refuses("{\"devices\":[{\"id\":\"a\",\"addresses\":[\"10.9.0.2/32\"]}]}",
		"seed: devices[0] a: device.addresses: 10.9.0.2/32 is no address");
	refuses("{\"devices\":[{\"id\":\"a\",\"addresses\":[\"10.9.0.2\"]},"
		"{\"id\":\"b\",\"addresses\":[\"10.9.0.2\"]}]}",
		"seed: devices[1] b: device.addresses: 10.9.0.2 is another device's too");
	refuses("{\"devices\":[{\"id\":\"a b\",\"addresses\":[]}]}",
		"seed: devices[0] a b: device.id: not 1 to 64 of A-Z a-z 0-9 . _ : -");
}

/* O4: of several gateways it would be none's. */
static void test_devices_name_their_tunnel_where_there_are_several_gateways(void)
{
	char *before = tunnel.gateway;

	tunnel.gateway = (char *)"north";
	refuses("{\"devices\":[{\"id\":\"a\",\"addresses\":[\"10.9.0.2\"]}]}",
		"seed: devices[0] a: device.tunnel: is missing: there are several gateways");
	tunnel.gateway = before;
}

static void test_api_keys_are_found_by_their_hash(void)
{
	struct api_keys keys = { 0 };
	uint8_t hash[DIGEST_LEN];

	INT_IS(digest_sha256("secret", 6, hash), 0);
	INT_IS(api_keys_add(&keys, "first", hash, sizeof(hash)), 0);
	INT_IS(api_keys_add(&keys, "short", hash, 31), -EINVAL);
	STR_IS(api_keys_find(&keys, "secret"), "first");
	OK(!api_keys_find(&keys, "secre"));
	OK(!api_keys_find(&keys, ""));
	api_keys_fini(&keys);
	OK(!api_keys_find(&keys, "secret"));
}

int main(void)
{
	prefix_parse("10.9.0.1/24", &addresses[0]);
	prefix_parse("fd09::1/64", &addresses[1]);
	TAP_RUN(test_reads_topics_that_apid_keeps);
	TAP_RUN(test_refuses_what_is_no_object_of_arrays);
	TAP_RUN(test_refuses_topics_of_others);
	TAP_RUN(test_names_record_and_field);
	TAP_RUN(test_checks_devices_against_tunnels);
	TAP_RUN(test_devices_name_their_tunnel_where_there_are_several_gateways);
	TAP_RUN(test_api_keys_are_found_by_their_hash);
	return tap_done();
}
