/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P15: where proxyd may connect. */
#include "proxyd/guard.h"
#include "tests/unit/tap.h"
#include <errno.h>

static bool is_let(struct guard *g, const char *profile, const char *address, uint16_t port)
{
	struct device_view dev = { .profile = profile, .egress = EGRESS_OFF };
	struct endpoint to = { .port = port };
	struct settings settings;
	bool res = false;

	settings_init(&settings);
	if (addr_parse(address, &to.addr))
		printf("# %s is no address\n", address);
	else
		res = !guard_check(g, &dev, &settings, &to);
	settings_fini(&settings);
	return res;
}

static bool is_allowed(const char *profile, const char *address)
{
	struct guard g;
	bool res;

	guard_init(&g);
	res = is_let(&g, profile, address, 443);
	guard_fini(&g);
	return res;
}

static void test_special_addresses_are_refused_for_every_profile(void)
{
	static const char *const texts[] = { "0.0.0.0", "127.0.0.1", "127.9.9.9", "169.254.1.1",
		"224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "::ffff:127.0.0.1",
		"::7f00:1", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1",
		"2002:7f00:1::", "fe80::1", "ff02::1" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		OK(!is_allowed("full", texts[i]));
		OK(!is_allowed("internet", texts[i]));
		OK(!is_allowed("intranet", texts[i]));
	}
}

static void test_internet_reaches_no_local_network(void)
{
	OK(is_allowed("internet", "93.184.216.34"));
	OK(is_allowed("internet", "2606:2800:220:1::1"));
	OK(!is_allowed("internet", "10.77.0.5"));
	OK(!is_allowed("internet", "192.168.1.1"));
	OK(!is_allowed("internet", "::ffff:192.168.1.1"));
	OK(!is_allowed("internet", "fd77::5"));
}

static void test_intranet_reaches_only_local_networks(void)
{
	OK(!is_allowed("intranet", "93.184.216.34"));
	OK(is_allowed("intranet", "10.77.0.5"));
}

static void test_no_profile_reaches_other_devices(void)
{
	struct prefix nets[2];
	struct conf_tunnel tunnel = { .addresses = { .v = nets, .n = 2 } };
	struct conf_shared conf = { .tunnels = &tunnel, .tunnel_count = 1 };
	struct guard g;

	guard_init(&g);
	g.conf = &conf;
	prefix_parse("10.9.0.1/24", &nets[0]);
	prefix_parse("fd09::1/64", &nets[1]);
	OK(!is_let(&g, "full", "10.9.0.3", 80));
	OK(!is_let(&g, "full", "fd09::3", 80));
	OK(is_let(&g, "full", "10.9.1.3", 80));
	guard_fini(&g);
}

static void test_full_reaches_both(void)
{
	OK(is_allowed("full", "93.184.216.34"));
	OK(is_allowed("full", "10.77.0.5"));
}

static void test_bus_and_databases_are_out_of_reach(void)
{
	struct prefix databases;
	struct conf_prefixes never = { .v = &databases, .n = 1 };
	struct guard g;

	guard_init(&g);
	OK(!addr_parse("93.184.216.34", &g.bus));
	OK(!is_let(&g, "full", "::ffff:93.184.216.34", 443));
	OK(is_let(&g, "full", "93.184.216.35", 443));
	prefix_parse("93.184.216.32/29", &databases);
	g.never = &never;
	OK(!is_let(&g, "full", "93.184.216.35", 443));
	OK(is_let(&g, "full", "93.184.216.40", 443));
	guard_fini(&g);
}

static int set_profile(struct guard *g, const char *name, const char *json)
{
	struct rec_profile rec;
	struct profile def;
	char why[160];
	cJSON *value = json_parse(json, strlen(json));

	INT_IS(codec_decode(REC_profile, CODEC_LENIENT, value, &rec, NULL, 0), 0);
	INT_IS(profile_parse(&rec, &def, why, sizeof(why)), 0);
	rec_fini(REC_profile, &rec);
	cJSON_Delete(value);
	return guard_set_profile(g, name, &def);
}

static void test_first_rule_of_an_admins_profile_decides(void)
{
	struct guard g;

	guard_init(&g);
	INT_IS(set_profile(&g, "kiosk",
		       "{\"name\":\"kiosk\",\"rules\":["
		       "{\"action\":\"block\",\"prefixes\":[\"192.0.2.128/25\"]},"
		       "{\"action\":\"allow\",\"prefixes\":[\"192.0.2.0/24\",\"10.77.0.5/32\"]},"
		       "{\"action\":\"allow\",\"protocols\":[\"tcp\"],\"ports\":[\"443\",\"8000-"
		       "8010\"]},"
		       "{\"action\":\"allow\",\"protocols\":[\"udp\"]}]}"),
		0);
	OK(is_let(&g, "kiosk", "192.0.2.1", 80));
	OK(!is_let(&g, "kiosk", "192.0.2.129", 443));
	OK(is_let(&g, "kiosk", "10.77.0.5", 22));
	OK(is_let(&g, "kiosk", "93.184.216.34", 443));
	OK(is_let(&g, "kiosk", "2606:2800:220:1::1", 8005));
	OK(!is_let(&g, "kiosk", "93.184.216.34", 80));
	OK(!is_let(&g, "kiosk", "93.184.216.34", 8011));
	OK(!is_let(&g, "other", "93.184.216.34", 443));
	guard_fini(&g);
}

static void test_no_rule_of_an_admin_opens_what_is_never_open(void)
{
	struct guard g;

	guard_init(&g);
	INT_IS(set_profile(&g, "all", "{\"name\":\"all\",\"rules\":[{\"action\":\"allow\"}]}"), 0);
	OK(is_let(&g, "all", "10.77.0.5", 443));
	OK(!is_let(&g, "all", "127.0.0.1", 443));
	OK(!is_let(&g, "all", "64:ff9b::7f00:1", 443));
	guard_fini(&g);
}

static void test_admins_profile_goes_and_comes_back(void)
{
	static const char any[] = "{\"name\":\"all\",\"rules\":[{\"action\":\"allow\"}]}";
	struct guard g;

	guard_init(&g);
	INT_IS(set_profile(&g, "all", any), 0);
	INT_IS(guard_set_profile(&g, "all", NULL), 0);
	OK(!is_let(&g, "all", "93.184.216.34", 443));
	INT_IS(set_profile(&g, "all", any), 0);
	OK(is_let(&g, "all", "93.184.216.34", 443));
	guard_fini(&g);
}

static void test_built_in_profiles_cannot_be_replaced(void)
{
	struct guard g;

	guard_init(&g);
	INT_IS(set_profile(&g, "internet",
		       "{\"name\":\"internet\",\"rules\":[{\"action\":\"allow\"}]}"),
		-EEXIST);
	OK(!is_let(&g, "internet", "10.77.0.5", 443));
	guard_fini(&g);
}

static void test_walled_reaches_no_local_network_and_unknown_profiles_nothing(void)
{
	OK(is_allowed("walled", "93.184.216.34"));
	OK(!is_allowed("walled", "10.77.0.5"));
	OK(!is_allowed("made-up", "93.184.216.34"));
}

static void set_record(struct guard *g, const char *id, const char *name, const char *type)
{
	struct rec_dns_record rec = { .id = (char *)id,
		.name = (char *)name,
		.type = (char *)type,
		.value = (char *)"10.77.0.5" };

	INT_IS(own_names_set(&g->names, id, type ? &rec : NULL), 0);
	INT_IS(own_names_index(&g->names), 0);
}

static bool may_lead(
	const struct guard *g, const struct settings *s, const char *host, const char *to)
{
	struct addr a;

	return !addr_parse(to, &a) && !guard_check_name(g, s, host, &a);
}

static void test_a_public_name_leads_to_no_local_network(void)
{
	static char *exceptions[] = { (char *)"corp.example" };
	struct rec_strs own;
	struct settings s;
	struct guard g;

	guard_init(&g);
	settings_init(&s);
	OK(may_lead(&g, &s, "a.example", "93.184.216.34"));
	OK(!may_lead(&g, &s, "a.example", "10.77.0.5"));
	OK(!may_lead(&g, &s, "a.example", "100.64.0.1"));
	OK(!may_lead(&g, &s, "a.example", "fd77::5"));
	OK(may_lead(&g, &s, "10.77.0.5", "10.77.0.5"));
	OK(may_lead(&g, &s, "fd77::5", "fd77::5"));
	OK(may_lead(&g, &s, "nas.home.arpa", "10.77.0.5"));
	own = s.rebind_exceptions;
	s.rebind_exceptions = (struct rec_strs){ .v = exceptions, .n = 1 };
	OK(may_lead(&g, &s, "nas.corp.example", "10.77.0.5"));
	OK(!may_lead(&g, &s, "nascorp.example", "10.77.0.5"));
	s.rebind_exceptions = own;
	settings_fini(&s);
	guard_fini(&g);
}

static void test_a_name_with_addresses_of_an_admin_leads_there(void)
{
	struct settings s;
	struct guard g;

	guard_init(&g);
	settings_init(&s);
	set_record(&g, "1", "NAS.Example.", "a");
	set_record(&g, "2", "nas.example", "TXT");
	set_record(&g, "3", "*.lan.example", "AAAA");
	set_record(&g, "4", "alias.lan.example", "CNAME");
	OK(may_lead(&g, &s, "nas.example", "10.77.0.5"));
	OK(may_lead(&g, &s, "a.b.lan.example", "fd77::5"));
	OK(!may_lead(&g, &s, "lan.example", "10.77.0.5"));
	/* What an alias leads to was answered by somebody else. */
	OK(!may_lead(&g, &s, "alias.lan.example", "10.77.0.5"));
	set_record(&g, "1", "", NULL);
	OK(!may_lead(&g, &s, "nas.example", "10.77.0.5"));
	settings_fini(&s);
	guard_fini(&g);
}

int main(void)
{
	TAP_RUN(test_special_addresses_are_refused_for_every_profile);
	TAP_RUN(test_internet_reaches_no_local_network);
	TAP_RUN(test_intranet_reaches_only_local_networks);
	TAP_RUN(test_full_reaches_both);
	TAP_RUN(test_no_profile_reaches_other_devices);
	TAP_RUN(test_bus_and_databases_are_out_of_reach);
	TAP_RUN(test_first_rule_of_an_admins_profile_decides);
	TAP_RUN(test_no_rule_of_an_admin_opens_what_is_never_open);
	TAP_RUN(test_admins_profile_goes_and_comes_back);
	TAP_RUN(test_built_in_profiles_cannot_be_replaced);
	TAP_RUN(test_a_public_name_leads_to_no_local_network);
	TAP_RUN(test_a_name_with_addresses_of_an_admin_leads_there);
	TAP_RUN(test_walled_reaches_no_local_network_and_unknown_profiles_nothing);
	return tap_done();
}
