/* SPDX-License-Identifier: GPL-3.0-or-later */
/* F8: forwarding below a directory that looks like /proc/sys/net. */
#include "fwd/sysctl.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

static char top[] = "/tmp/culvert-sysctl-XXXXXX";

static void set(const char *name, const char *value)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	for (char *c = path + strlen(top) + 1; (c = strchr(c, '/')); *c++ = '/') {
		*c = 0;
		mkdir(path, 0700);
	}
	FILE *f = fopen(path, "w");
	OK(f != NULL);
	if (f) {
		fprintf(f, "%s\n", value);
		fclose(f);
	}
}

static void is(const char *name, int want)
{
	char path[PATH_MAX];
	int got = -1;
	snprintf(path, sizeof(path), "%s/%s", top, name);
	FILE *f = fopen(path, "r");
	OK(f != NULL);
	if (f) {
		OK(fscanf(f, "%d", &got) == 1);
		fclose(f);
	}
	INT_IS(got, want);
}

static struct conf_shared make_conf(struct conf_tunnel *tunnel)
{
	static char interface[] = "wgT";
	*tunnel = (struct conf_tunnel){ .interface = interface };
	return (struct conf_shared){ .tunnels = tunnel, .tunnel_count = 1 };
}

static void prepare(const char *forwarding)
{
	set("ipv4/ip_forward", forwarding);
	set("ipv6/conf/all/forwarding", forwarding);
	set("ipv6/conf/eth0/accept_ra", "1");
	set("ipv6/conf/eth1/accept_ra", "0");
	set("ipv4/conf/wgT/forwarding", forwarding);
	set("ipv6/conf/wgT/forwarding", forwarding);
	set("ipv4/icmp_ratelimit", "1000");
	set("ipv6/icmp/ratelimit", "5");
}

static void test_allows_forwarding_in_both_families(void)
{
	struct conf_tunnel tunnel;
	struct conf_shared conf = make_conf(&tunnel);
	prepare("0");
	INT_IS(sysctl_allow_forwarding(top, &conf), 0);
	is("ipv4/ip_forward", 1);
	is("ipv6/conf/all/forwarding", 1);
	is("ipv4/conf/wgT/forwarding", 1);
	is("ipv6/conf/wgT/forwarding", 1);
}

static void test_keeps_router_advertisements_of_the_uplink(void)
{
	struct conf_tunnel tunnel;
	struct conf_shared conf = make_conf(&tunnel);
	prepare("0");
	INT_IS(sysctl_allow_forwarding(top, &conf), 0);
	is("ipv6/conf/eth0/accept_ra", 2);
	is("ipv6/conf/eth1/accept_ra", 0);
}

static void test_stops_the_tunnels_and_ipv6(void)
{
	struct conf_tunnel tunnel;
	struct conf_shared conf = make_conf(&tunnel);
	prepare("1");
	sysctl_stop_forwarding(top, &conf);
	is("ipv4/conf/wgT/forwarding", 0);
	is("ipv6/conf/wgT/forwarding", 0);
	is("ipv6/conf/all/forwarding", 0);
	is("ipv4/ip_forward", 1);
}

static void test_tells_whether_all_is_forwarded(void)
{
	static const char *const names[] = { "ipv4/ip_forward", "ipv6/conf/all/forwarding",
		"ipv4/conf/wgT/forwarding", "ipv6/conf/wgT/forwarding" };
	struct conf_tunnel tunnel;
	struct conf_shared conf = make_conf(&tunnel);
	prepare("0");
	OK(!sysctl_forwards(top, &conf));
	INT_IS(sysctl_allow_forwarding(top, &conf), 0);
	OK(sysctl_forwards(top, &conf));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		set(names[i], "0");
		OK(!sysctl_forwards(top, &conf));
		set(names[i], "1");
	}
	OK(sysctl_forwards(top, &conf));
}

static void test_lowers_the_rate_limit_of_refusals_only(void)
{
	prepare("1");
	sysctl_answer_refusals(top);
	is("ipv4/icmp_ratelimit", 10);
	is("ipv6/icmp/ratelimit", 5);
}

/* Before the file is there: as where it may not be written. */
static void test_marks_are_heeded_or_need_not_be(void)
{
	set("ipv4/conf/all/rp_filter", "0");
	set("ipv4/conf/default/rp_filter", "2");
	set("ipv4/conf/eth0/rp_filter", "0");
	INT_IS(sysctl_heed_marks(top), 0);
	set("ipv4/conf/eth0/rp_filter", "2");
	INT_IS(sysctl_heed_marks(top), -ENOENT);
	set("ipv4/conf/all/src_valid_mark", "0");
	INT_IS(sysctl_heed_marks(top), 0);
	is("ipv4/conf/all/src_valid_mark", 1);
}

int main(void)
{
	char command[sizeof(top) + 16];
	if (!mkdtemp(top))
		return 1;
	TAP_RUN(test_allows_forwarding_in_both_families);
	TAP_RUN(test_keeps_router_advertisements_of_the_uplink);
	TAP_RUN(test_stops_the_tunnels_and_ipv6);
	TAP_RUN(test_tells_whether_all_is_forwarded);
	TAP_RUN(test_lowers_the_rate_limit_of_refusals_only);
	TAP_RUN(test_marks_are_heeded_or_need_not_be);
	snprintf(command, sizeof(command), "rm -r '%s'", top);
	return tap_done() | (system(command) != 0);
}
