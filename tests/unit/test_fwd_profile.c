/* SPDX-License-Identifier: GPL-3.0-or-later */
/* F2: profiles of an admin; what cannot be understood is walled. */
#include "fwd/marks.h"
#include "fwd/profile.h"
#include "tests/unit/tap.h"
#include <errno.h>

static int parse(const char *json, struct profile *out)
{
	struct rec_profile rec;
	char why[160] = "";
	cJSON *value = json_parse(json, strlen(json));
	OK(value != NULL);
	INT_IS(codec_decode(REC_profile, CODEC_LENIENT, value, &rec, NULL, 0), 0);
	int err = profile_parse(&rec, out, why, sizeof(why));
	rec_fini(REC_profile, &rec);
	cJSON_Delete(value);
	return err;
}

static void test_parses_rules_in_order(void)
{
	struct profile p;
	INT_IS(parse("{\"name\":\"a\",\"rules\":[{\"action\":\"block\",\"ports\":[\"25\"]},"
		     "{\"action\":\"allow\",\"prefixes\":[\"192.0.2.0/24\",\"2001:db8::/32\"],"
		     "\"protocols\":[\"tcp\"],\"ports\":[\"80\",\"1000-2000\"]}]}",
		       &p),
		0);
	INT_IS(p.count, 2);
	OK(!p.rules[0].allow && p.rules[1].allow);
	INT_IS(p.rules[0].port_count, 2); /* both transports */
	INT_IS(p.rules[1].prefix_count, 2);
	INT_IS(p.rules[1].port_count, 2);
	INT_IS(p.rules[1].ports[1].from, 1000);
	INT_IS(p.rules[1].ports[1].to, 2000);
	profile_fini(&p);
}

static void refuses(const char *rules)
{
	char json[512];
	struct profile p;
	snprintf(json, sizeof(json), "{\"name\":\"a\",\"rules\":[%s]}", rules);
	INT_IS(parse(json, &p), -EINVAL);
}

static void test_refuses_wrong_ports(void)
{
	refuses("{\"action\":\"allow\",\"ports\":[\"0\"]}");
	refuses("{\"action\":\"allow\",\"ports\":[\"65536\"]}");
	refuses("{\"action\":\"allow\",\"ports\":[\"20-10\"]}");
	refuses("{\"action\":\"allow\",\"ports\":[\"80 \"]}");
	refuses("{\"action\":\"allow\",\"ports\":[\"-1\"]}");
	refuses("{\"action\":\"allow\",\"protocols\":[\"icmp\"],\"ports\":[\"80\"]}");
}

static void test_refuses_wrong_prefixes_protocols_and_actions(void)
{
	refuses("{\"action\":\"allow\",\"prefixes\":[\"10.0.0.0/33\"]}");
	refuses("{\"action\":\"allow\",\"protocols\":[\"TCP\"]}");
	refuses("{\"action\":\"permit\"}");
	refuses("{\"ports\":[\"80\"]}");
	refuses("{\"action\":\"allow\",\"prefixes\":\"10.0.0.0/8\"}");
}

/* A profile of one rule of 128 IPv4 prefixes (two of the kernel each, NAT64) and 4 ports of TCP and
 * UDP: 2048; and more. */
static int parse_2048_and(const char *more)
{
	static char json[20000];
	int at = snprintf(json, sizeof(json),
		"{\"name\":\"a\",\"rules\":[{\"action\":\"allow\",\"prefixes\":[");
	for (int i = 0; i < 128; i++)
		at += snprintf(json + at, sizeof(json) - (size_t)at, "%s\"10.0.%d.0/24\"",
			i ? "," : "", i);
	snprintf(json + at, sizeof(json) - (size_t)at, "],\"ports\":[\"1\",\"2\",\"3\",\"4\"]}%s]}",
		more);
	struct profile p;
	int err = parse(json, &p);
	if (!err)
		profile_fini(&p);
	return err;
}

static void test_refuses_more_combinations_than_the_kernel_should_hold(void)
{
	INT_IS(parse_2048_and(""), 0);
	INT_IS(parse_2048_and(",{\"action\":\"allow\",\"prefixes\":[\"10.1.0.0/24\"]}"), -E2BIG);
}

static void test_an_unknown_name_is_walled(void)
{
	struct profiles p;
	profiles_init(&p);
	INT_IS(profiles_find(&p, "full"), PROFILE_FULL);
	INT_IS(profiles_find(&p, "Full"), PROFILE_WALLED);
	INT_IS(profiles_find(&p, ""), PROFILE_WALLED);
	INT_IS(profiles_find(&p, "nosuch"), PROFILE_WALLED);
	profiles_fini(&p);
}

static void test_names_keep_their_id_until_removed(void)
{
	struct profiles p;
	struct profile def = { 0 };
	profiles_init(&p);
	INT_IS(profiles_set(&p, "kids", &def), 0);
	unsigned id = profiles_find(&p, "kids");
	OK(id >= PROFILE_ADMIN_FIRST);
	INT_IS(profiles_set(&p, "kids", &def), 0);
	INT_IS(profiles_find(&p, "kids"), id);
	OK(profiles_remove(&p, "kids"));
	INT_IS(profiles_find(&p, "kids"), PROFILE_WALLED);
	INT_IS(profiles_set(&p, "full", &def), -EEXIST);
	profiles_fini(&p);
}

static void test_ids_run_out_closed(void)
{
	struct profiles p;
	profiles_init(&p);
	char name[16];
	int err = 0;
	for (int i = 0; i < 300 && !err; i++) {
		struct profile def = { 0 };
		snprintf(name, sizeof(name), "p%d", i);
		err = profiles_set(&p, name, &def);
	}
	INT_IS(err, -ENOSPC);
	INT_IS(profiles_find(&p, name), PROFILE_WALLED);
	profiles_fini(&p);
}

int main(void)
{
	TAP_RUN(test_parses_rules_in_order);
	TAP_RUN(test_refuses_wrong_ports);
	TAP_RUN(test_refuses_wrong_prefixes_protocols_and_actions);
	TAP_RUN(test_refuses_more_combinations_than_the_kernel_should_hold);
	TAP_RUN(test_an_unknown_name_is_walled);
	TAP_RUN(test_names_keep_their_id_until_removed);
	TAP_RUN(test_ids_run_out_closed);
	return tap_done();
}
