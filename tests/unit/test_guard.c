/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P15: where proxyd may connect. */
#include "proxyd/guard.h"
#include "tests/unit/tap.h"

static bool is_allowed(const char *profile, const char *address)
{
	struct device_view dev = { .profile = profile };
	struct settings settings;
	struct guard g = { 0 };
	struct addr a;
	bool res;

	settings_init(&settings);
	if (addr_parse(address, &a)) {
		printf("# %s is no address\n", address);
		settings_fini(&settings);
		return false;
	}
	res = !guard_check(&g, &dev, &settings, &a);
	guard_fini(&g);
	settings_fini(&settings);
	return res;
}

static void test_special_addresses_are_refused_for_every_profile(void)
{
	static const char *const texts[] = { "0.0.0.0", "127.0.0.1", "127.9.9.9", "169.254.1.1",
		"224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "::ffff:127.0.0.1",
		"::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "fe80::1",
		"ff02::1" };

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
	struct device_view dev = { .profile = "full" };
	struct settings settings;
	struct guard g = { .conf = &conf };
	struct addr a;

	settings_init(&settings);
	prefix_parse("10.9.0.1/24", &nets[0]);
	prefix_parse("fd09::1/64", &nets[1]);
	addr_parse("10.9.0.3", &a);
	OK(guard_check(&g, &dev, &settings, &a));
	addr_parse("fd09::3", &a);
	OK(guard_check(&g, &dev, &settings, &a));
	addr_parse("10.9.1.3", &a);
	OK(!guard_check(&g, &dev, &settings, &a));
	guard_fini(&g);
	settings_fini(&settings);
}

static void test_full_reaches_both(void)
{
	OK(is_allowed("full", "93.184.216.34"));
	OK(is_allowed("full", "10.77.0.5"));
}

static void test_bus_is_out_of_reach(void)
{
	struct device_view dev = { .profile = "full" };
	struct settings settings;
	struct guard g = { 0 };
	struct addr a;

	settings_init(&settings);
	OK(!addr_parse("93.184.216.34", &g.bus));
	OK(!addr_parse("::ffff:93.184.216.34", &a));
	OK(guard_check(&g, &dev, &settings, &a));
	OK(!addr_parse("93.184.216.35", &a));
	OK(!guard_check(&g, &dev, &settings, &a));
	guard_fini(&g);
	settings_fini(&settings);
}

static void test_walled_reaches_no_local_network_and_unknown_profiles_nothing(void)
{
	OK(is_allowed("walled", "93.184.216.34"));
	OK(!is_allowed("walled", "10.77.0.5"));
	OK(!is_allowed("made-up", "93.184.216.34"));
}

int main(void)
{
	TAP_RUN(test_special_addresses_are_refused_for_every_profile);
	TAP_RUN(test_internet_reaches_no_local_network);
	TAP_RUN(test_intranet_reaches_only_local_networks);
	TAP_RUN(test_full_reaches_both);
	TAP_RUN(test_no_profile_reaches_other_devices);
	TAP_RUN(test_bus_is_out_of_reach);
	TAP_RUN(test_walled_reaches_no_local_network_and_unknown_profiles_nothing);
	return tap_done();
}
