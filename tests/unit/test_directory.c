/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When devices are known, and which of them are told of (SPEC D8, D10, P16). */
#include "common/policy/directory.h"
#include "common/policy/watches.h"
#include "tests/unit/fake_bus.h"
#include "tests/unit/tap.h"
#include <inttypes.h>

struct world {
	uv_loop_t loop;
	struct bus *bus;
	struct directory *dir;
	unsigned told; /* of tablet, by on_device */
};

static void on_device(void *arg, struct device_view *v)
{
	struct world *w = arg;

	w->told += !strcmp(v->id, "tablet");
}

static void world_init(struct world *w)
{
	static const struct directory_ops ops = { .on_device = on_device };

	w->told = 0;
	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &ops, w);
	fake_bus_put(w->bus, TOPIC_devices, BUS_APID, "phone",
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"]}");
}

static void world_fini(struct world *w)
{
	directory_close(w->dir);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->loop), 0);
	fake_bus_free(w->bus);
}

/* Half a list of devices is none: nobody is let in on it. */
static void test_nobody_is_known_before_all_devices_are(void)
{
	struct world w;
	struct addr a;
	world_init(&w);
	addr_parse("10.9.0.2", &a);
	OK(!directory_find(w.dir, &a));
	fake_bus_end(w.bus, TOPIC_settings, BUS_APID);
	fake_bus_end(w.bus, TOPIC_groups, BUS_APID);
	fake_bus_end(w.bus, TOPIC_device_prefs, BUS_APID);
	OK(!directory_find(w.dir, &a) && !directory_is_known(w.dir));
	fake_bus_end(w.bus, TOPIC_devices, BUS_APID);
	OK(directory_find(w.dir, &a) && directory_is_known(w.dir));
	world_fini(&w);
}

/* D8: who waits for a change is told of that change. */
static void test_a_generation_is_in_force_for_its_own_topic(void)
{
	struct world w;
	world_init(&w);
	fake_bus_end_all(w.bus);
	fake_bus_end(w.bus, TOPIC_devices, BUS_APID);
	fake_bus_end(w.bus, TOPIC_device_prefs, BUS_SYNCD);
	fake_bus_end(w.bus, TOPIC_device_prefs, BUS_SYNCD);
	directory_applied(w.dir);
	INT_IS(fake_bus_applied(w.bus, TOPIC_devices, BUS_APID), 2);
	INT_IS(fake_bus_applied(w.bus, TOPIC_groups, BUS_APID), 1);
	INT_IS(fake_bus_applied(w.bus, TOPIC_usage, BUS_WGD), 1);
	INT_IS(fake_bus_applied(w.bus, TOPIC_device_prefs, BUS_APID), 1);
	INT_IS(fake_bus_applied(w.bus, TOPIC_device_prefs, BUS_SYNCD), 3);
	world_fini(&w);
}

/* F1, W8: it was refused for as long as another had it. */
static void test_a_device_is_told_of_an_address_that_it_gets_when_another_leaves_it(void)
{
	static const char *const leaves[] = { NULL,
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.3\"]}" };
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		struct addr a;
		world_init(&w);
		fake_bus_end_all(w.bus);
		addr_parse("10.9.0.2", &a);
		fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "tablet",
			"{\"id\":\"tablet\",\"addresses\":[\"10.9.0.2\"]}");
		STR_IS(directory_find(w.dir, &a)->id, "phone");
		unsigned before = w.told;
		fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "phone", leaves[i]);
		fake_bus_end(w.bus, TOPIC_devices, BUS_APID);
		STR_IS(directory_find(w.dir, &a)->id, "tablet");
		INT_IS(w.told, before + 1);
		world_fini(&w);
	}
}

/* O4: what moves to another gateway is gone here at once. */
static void test_a_device_of_another_gateways_tunnel_is_none(void)
{
	struct world w;
	struct addr a;
	world_init(&w);
	fake_bus_set_elsewhere(w.bus, "south");
	fake_bus_end_all(w.bus);
	addr_parse("10.9.0.2", &a);
	OK(directory_find(w.dir, &a));
	fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "phone",
		"{\"id\":\"phone\",\"tunnel\":\"south\",\"addresses\":[\"10.8.0.2\"]}");
	OK(!directory_find(w.dir, &a) && !directory_find_id(w.dir, "phone"));
	fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "phone",
		"{\"id\":\"phone\",\"tunnel\":\"north\",\"addresses\":[\"10.9.0.2\"]}");
	OK(directory_find(w.dir, &a));
	world_fini(&w);
}

static void on_told(void *arg, struct device_view *v)
{
	(void)v;
	++*(int *)arg;
}

static void put_phone(struct world *w, const char *more)
{
	char json[300];
	snprintf(json, sizeof(json), "{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"]%s%s}",
		*more ? "," : "", more);
	fake_bus_put(w->bus, TOPIC_devices, BUS_APID, "phone", json);
	fake_bus_end(w->bus, TOPIC_devices, BUS_APID);
}

/* Each fact that the daemons act on. */
static void test_a_device_is_told_of_when_a_fact_of_it_changes_and_not_else(void)
{
	static const char *const facts[] = { "\"group\":\"kids\"", "\"tunnel\":\"north\"",
		"\"profile\":\"full\"", "\"active\":false", "\"expires_at\":9999999999999",
		"\"strict\":true", "\"site_scope\":\"all\"", "\"unknown_sites\":\"pass\"",
		"\"images\":\"hide\"", "\"words\":\"show\"", "\"egress\":\"web\"",
		"\"privacy\":\"full\"", "\"v6\":false", "\"quota_bytes\":5", "\"rate_kbit\":5",
		"\"https_path\":\"splice\"", "\"quic\":\"judge\"",
		"\"schedules\":[{\"what\":\"all\"}]" };
	static const struct directory_ops ops = { .on_device = on_told };
	struct world w;
	int told = 0;
	uv_loop_init(&w.loop);
	w.bus = fake_bus_new();
	w.dir = directory_open(&w.loop, w.bus, &ops, &told);
	fake_bus_put(w.bus, TOPIC_groups, BUS_APID, "kids", "{\"id\":\"kids\"}");
	fake_bus_end_all(w.bus);
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		put_phone(&w, "");
		told = 0;
		put_phone(&w, facts[i]);
		put_phone(&w, facts[i]);
		if (told != 1)
			printf("# %s\n", facts[i]);
		INT_IS(told, 1);
	}
	world_fini(&w);
}

static void test_a_device_is_told_of_when_its_switches_change(void)
{
	static const char *const prefs[] = { "\"offline_vpn\":true", "\"offline_browser\":true",
		"\"lists_off\":[\"a\"]", "\"lists_off\":[\"b\"]", "\"lists_off\":[\"b\",\"c\"]" };
	static const struct directory_ops ops = { .on_device = on_told };
	struct world w;
	int told = 0;
	uv_loop_init(&w.loop);
	w.bus = fake_bus_new();
	w.dir = directory_open(&w.loop, w.bus, &ops, &told);
	fake_bus_end_all(w.bus);
	put_phone(&w, "");
	for (size_t i = 0; i < 2 * sizeof(prefs) / sizeof(*prefs); i++) {
		char json[100];
		snprintf(json, sizeof(json), "{\"id\":\"device:phone\",%s}", prefs[i / 2]);
		told = 0;
		fake_bus_put(w.bus, TOPIC_device_prefs, BUS_APID, "device:phone", json);
		fake_bus_end(w.bus, TOPIC_device_prefs, BUS_APID);
		INT_IS(told, i % 2 == 0);
	}
	world_fini(&w);
}

static void on_late(void *arg, struct device_view *v)
{
	*(int *)arg += !strcmp(v->id, "late");
}

/* W8: also the second address of a device. */
static void test_who_gets_an_address_that_another_gave_up_is_told_of(void)
{
	static const struct directory_ops ops = { .on_device = on_late };
	struct world w;
	struct addr a;
	int told = 0;
	uv_loop_init(&w.loop);
	w.bus = fake_bus_new();
	w.dir = directory_open(&w.loop, w.bus, &ops, &told);
	addr_parse("fd09::2", &a);
	fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "early",
		"{\"id\":\"early\",\"addresses\":[\"10.9.0.4\",\"fd09::2\"]}");
	fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "late",
		"{\"id\":\"late\",\"addresses\":[\"10.9.0.5\",\"fd09::2\"]}");
	fake_bus_end_all(w.bus);
	STR_IS(directory_find(w.dir, &a)->id, "early");
	told = 0;
	fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "early",
		"{\"id\":\"early\",\"addresses\":[\"10.9.0.4\"]}");
	fake_bus_end(w.bus, TOPIC_devices, BUS_APID);
	STR_IS(directory_find(w.dir, &a)->id, "late");
	INT_IS(told, 1);
	world_fini(&w);
}

static void put_watch(struct world *w, const char *devices, int64_t until)
{
	char json[200];
	snprintf(json, sizeof(json), "{\"id\":\"a\",\"devices\":[%s],\"until\":%" PRId64 "}",
		devices, until);
	fake_bus_put(w->bus, TOPIC_watch, BUS_APID, "a", json);
	fake_bus_end(w->bus, TOPIC_watch, BUS_APID);
}

/* D10, P16 */
static void test_only_a_device_that_is_watched_now_is_told_of(void)
{
	struct world w;
	struct watches watches;
	struct settings s = { 0 };
	world_init(&w);
	fake_bus_end_all(w.bus);
	INT_IS(watches_open(&watches, w.bus), 0);
	struct device_view *phone = directory_find_id(w.dir, "phone");
	phone->privacy = PRIVACY_FULL;
	OK(!watches_are_any(&watches, &s) && !watches_has(&watches, phone, &s, 1000));
	put_watch(&w, "\"laptop\"", 2000);
	OK(watches_are_any(&watches, &s) && !watches_has(&watches, phone, &s, 1000));
	put_watch(&w, "\"laptop\",\"phone\"", 2000);
	OK(watches_has(&watches, phone, &s, 1999) && !watches_has(&watches, phone, &s, 2000));
	put_watch(&w, "\"*\"", 2000);
	OK(watches_has(&watches, phone, &s, 1000));
	phone->privacy = PRIVACY_COUNTS;
	s.query_log = true;
	OK(!watches_has(&watches, phone, &s, 1000));
	phone->privacy = PRIVACY_DOMAINS;
	OK(watches_has(&watches, phone, &s, 3000));
	watches_fini(&watches);
	world_fini(&w);
}

/* D10: of names that nobody registered nothing is told that says more than the public suffix does.
 */
static void test_of_a_name_its_registrable_domain_is_told(void)
{
	struct world w;
	struct watches watches;
	world_init(&w);
	INT_IS(watches_open(&watches, w.bus), 0);
	STR_IS(watches_domain(&watches, "a.b.example.co.uk"), "example.co.uk");
	STR_IS(watches_domain(&watches, "example.com"), "example.com");
	STR_IS(watches_domain(&watches, "co.uk"), "co.uk");
	STR_IS(watches_domain(&watches, ""), "");
	watches_fini(&watches);
	world_fini(&w);
}

int main(void)
{
	TAP_RUN(test_nobody_is_known_before_all_devices_are);
	TAP_RUN(test_a_generation_is_in_force_for_its_own_topic);
	TAP_RUN(test_a_device_is_told_of_an_address_that_it_gets_when_another_leaves_it);
	TAP_RUN(test_a_device_of_another_gateways_tunnel_is_none);
	TAP_RUN(test_a_device_is_told_of_when_a_fact_of_it_changes_and_not_else);
	TAP_RUN(test_a_device_is_told_of_when_its_switches_change);
	TAP_RUN(test_who_gets_an_address_that_another_gave_up_is_told_of);
	TAP_RUN(test_only_a_device_that_is_watched_now_is_told_of);
	TAP_RUN(test_of_a_name_its_registrable_domain_is_told);
	return tap_done();
}
