/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/conf.h"
#include "common/log.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf {
	struct conf_shared shared;
	int64_t cache_mib;
	bool intercept;
	struct conf_strings upstreams;
	struct endpoint system;
	struct conf_secret key;
};

#define AT(field) offsetof(struct conf, field)
static const struct conf_row rows[] = {
	{ "dnsd", "cache_mib", CONF_INT, AT(cache_mib), "64", .min = 1, .max = 4096 },
	{ "dnsd", "intercept", CONF_BOOL, AT(intercept), "no" },
	{ "dnsd", "upstreams", CONF_STRINGS, AT(upstreams), "a, b" },
	{ "dnsd", "system", CONF_ENDPOINT, AT(system), "127.0.0.1:5300" },
	{ "dnsd", "key_file", CONF_SECRET, AT(key), "", .env = "TEST_CONF_KEY_FILE" },
};
#define ROWS rows, sizeof(rows) / sizeof(rows[0])

/* Parses text; returns the error line ("" = good). */
static const char *parse(const char *text, struct conf *c)
{
	static char line[512];
	struct buf err;

	memset(c, 0, sizeof(*c));
	buf_init(&err, 0);
	int res = conf_parse(text, strlen(text), "culvert.conf", "dnsd", ROWS, c, sizeof(*c), &err);
	snprintf(line, sizeof(line), "%s", res ? (const char *)err.data : "");
	buf_fini(&err);
	return line;
}

static void refuse(const char *text, const char *error)
{
	struct conf c;

	STR_IS(parse(text, &c), error);
	conf_fini(ROWS, &c, sizeof(c));
}

static void test_defaults_without_a_line(void)
{
	struct conf c;

	STR_IS(parse("", &c), "");
	INT_IS(c.cache_mib, 64);
	INT_IS(c.upstreams.n, 2);
	STR_IS(c.upstreams.v[1], "b");
	INT_IS(c.system.port, 5300);
	STR_IS(c.shared.user, "culvert-dnsd");
	STR_IS(c.shared.state_dir, "/var/lib/culvert/dnsd");
	INT_IS(c.shared.log_level, LOG_LEVEL_INFO);
	conf_fini(ROWS, &c, sizeof(c));
}

static void test_reads_values_and_tunnels(void)
{
	struct conf c;

	STR_IS(parse("[culvert]\nlog_level = debug\n[dnsd]\ncache_mib=7\nintercept = yes ; why "
		     "not\n"
		     "[tunnel mitm]\ninterface=wg7\naddresses = 10.9.0.1/24, fd09::1/64\n"
		     "[tunnel two]\naddresses=10.8.0.1/24\nport=1\n[wgd]\nanything = goes\n",
		       &c),
		"");
	INT_IS(c.cache_mib, 7);
	OK(c.intercept);
	INT_IS(c.shared.tunnel_count, 2);
	STR_IS(c.shared.tunnels[0].name, "mitm");
	STR_IS(c.shared.tunnels[0].interface, "wg7");
	INT_IS(c.shared.tunnels[0].addresses.n, 2);
	INT_IS(c.shared.tunnels[0].port, 51820);
	INT_IS(c.shared.tunnels[1].port, 1);
	conf_fini(ROWS, &c, sizeof(c));
}

static void test_error_names_file_line_key_and_reason(void)
{
	refuse("\n[dnsd]\ncache_mib = 90000\n",
		"culvert.conf:3: dnsd.cache_mib: 90000 is above 4096");
	refuse("[dnsd]\ncache_mib = 0", "culvert.conf:2: dnsd.cache_mib: 0 is below 1");
	refuse("[dnsd]\ncache_mib = many\n",
		"culvert.conf:2: dnsd.cache_mib: many is not a whole number");
	refuse("[dnsd]\nintercept = perhaps\n",
		"culvert.conf:2: dnsd.intercept: perhaps is neither yes nor no");
	refuse("[dnsd]\nsystem = 127.0.0.1\n",
		"culvert.conf:2: dnsd.system: 127.0.0.1 is not ADDRESS:PORT");
	refuse("[bus]\nredis = tcp:nowhere\n", "culvert.conf:2: bus.redis: tcp:nowhere is neither "
					       "unix:/PATH nor tcp:ADDRESS:PORT");
}

static void test_unknown_keys_and_sections_are_errors(void)
{
	refuse("[dnsd]\ncash_mib = 1\n", "culvert.conf:2: dnsd.cash_mib: no such key");
	refuse("[dsnd]\ncache_mib = 1\n", "culvert.conf:2: [dsnd]: no such section");
	refuse("stray = 1\n", "culvert.conf:1: []: no such section");
	refuse("[tunnel a b]\nport = 1\n", "culvert.conf:2: [tunnel a b]: a b is not 1 to 32 of "
					   "the characters A-Z a-z 0-9 -_.");
}

static void test_a_key_given_twice_is_an_error(void)
{
	refuse("[dnsd]\ncache_mib = 1\ncache_mib = 2\n",
		"culvert.conf:3: dnsd.cache_mib: given twice");
	refuse("[tunnel a]\nport = 1\naddresses = 10.0.0.1/8\n[tunnel b]\nport=1\n[tunnel a]\nport "
	       "= 2\n",
		"culvert.conf:7: tunnel a.port: given twice");
}

#define TWO_GATEWAYS                                                                               \
	"[tunnel a]\ngateway = north\naddresses = 10.0.0.1/24\n"                                   \
	"[tunnel b]\ngateway = south\naddresses = 10.1.0.1/24\n[tunnel c]\naddresses = "           \
	"10.2.0.1/24\n"

/* One file serves all machines (SPEC O4). */
static void test_a_gateway_has_its_own_tunnels_alone(void)
{
	struct conf c;

	STR_IS(parse("[culvert]\ngateway = south\n" TWO_GATEWAYS, &c), "");
	INT_IS(c.shared.tunnel_count, 1);
	STR_IS(c.shared.tunnels[0].name, "b");
	OK(conf_serves_tunnel(&c.shared, "b") && !conf_serves_tunnel(&c.shared, "a") &&
		!conf_serves_tunnel(&c.shared, "elsewhere") && !conf_serves_tunnel(&c.shared, "") &&
		!conf_serves_tunnel(&c.shared, NULL));
	conf_fini(ROWS, &c, sizeof(c));
}

static void test_the_gateway_without_a_name_leaves_others_theirs(void)
{
	struct conf c;

	STR_IS(parse(TWO_GATEWAYS, &c), "");
	INT_IS(c.shared.tunnel_count, 1);
	STR_IS(c.shared.tunnels[0].name, "c");
	OK(conf_serves_tunnel(&c.shared, "c") && conf_serves_tunnel(&c.shared, NULL) &&
		conf_serves_tunnel(&c.shared, "not in the file") &&
		!conf_serves_tunnel(&c.shared, "a") && !conf_serves_tunnel(&c.shared, "b"));
	conf_fini(ROWS, &c, sizeof(c));
}

static void test_who_is_everybodys_knows_all_tunnels(void)
{
	struct conf_shared c = { 0 };
	struct buf err;

	buf_init(&err, 0);
	INT_IS(conf_parse(TWO_GATEWAYS, strlen(TWO_GATEWAYS), "f", "apid", NULL, 0, &c, sizeof(c),
		       &err),
		0);
	INT_IS(c.tunnel_count, 3);
	STR_IS(c.tunnels[0].gateway, "north");
	conf_fini(NULL, 0, &c, sizeof(c));
	buf_fini(&err);
}

static void test_a_gateway_without_tunnels_is_an_error(void)
{
	refuse("[culvert]\ngateway = west\n" TWO_GATEWAYS,
		"culvert.conf: culvert.gateway: no tunnel is of gateway west");
	refuse("[culvert]\ngateway = no_th\n", "culvert.conf:2: culvert.gateway: no_th is not 1 to "
					       "16 of the characters A-Z a-z 0-9 "
					       "-");
}

/* O4: between machines the bus is inside of a tunnel, or it is not used. */
static void test_redis_of_another_machine_must_be_inside_of_a_tunnel(void)
{
	struct conf c;

	refuse("[bus]\nredis = tcp:192.0.2.9:6379\n",
		"culvert.conf: bus.redis: 192.0.2.9:6379 is another machine, and in none of "
		"bus.networks: on the way there nothing is encrypted, so it must be inside of a "
		"tunnel");
	refuse("[bus]\nnetworks = 10.200.0.0/24\nredis_sentinels = 10.200.0.1:26379, "
	       "10.201.0.1:26379\n",
		"culvert.conf: bus.redis_sentinels: 10.201.0.1:26379 is another machine, and in "
		"none "
		"of bus.networks: on the way there nothing is encrypted, so it must be inside of a "
		"tunnel");
	STR_IS(parse("[bus]\nnetworks = 10.200.0.0/24, fd20::/64\nredis = tcp:[fd20::1]:6379\n",
		       &c),
		"");
	conf_fini(ROWS, &c, sizeof(c));
	STR_IS(parse("[bus]\nredis = tcp:127.0.0.1:6379\n", &c), "");
	conf_fini(ROWS, &c, sizeof(c));
	STR_IS(parse("[bus]\nredis = tcp:[::1]:6379\n", &c), "");
	conf_fini(ROWS, &c, sizeof(c));
}

static void test_tunnels_that_share_something_are_an_error(void)
{
	refuse("[tunnel a]\naddresses = 10.0.0.1/24\n[tunnel b]\naddresses = 10.1.0.1/24\nport = "
	       "1\n",
		"culvert.conf: [tunnel b]: same interface as [tunnel a]");
	refuse("[tunnel a]\naddresses = 10.0.0.1/24\n[tunnel b]\naddresses = 10.1.0.1/24\n"
	       "interface = wg1\n",
		"culvert.conf: [tunnel b]: same port as [tunnel a]");
	refuse("[tunnel a]\naddresses = 10.0.0.1/24\n[tunnel b]\naddresses = 10.0.0.9/8\nport = 1\n"
	       "interface = wg1\n",
		"culvert.conf: [tunnel b]: same addresses as [tunnel a]");
}

static void test_a_required_key_must_be_there(void)
{
	refuse("[tunnel a]\nport = 1\n", "culvert.conf: tunnel a.addresses: missing");
}

static void test_a_line_that_is_neither_is_an_error(void)
{
	refuse("[dnsd]\nnonsense\n", "culvert.conf:2: neither [section] nor key = value");
}

static void test_overlong_line_is_an_error(void)
{
	char text[6000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	refuse(text, "culvert.conf:1: line is longer than 4094 characters");
}

static void test_secret_comes_from_a_file_of_its_own(void)
{
	char path[] = "/tmp/test_confXXXXXX", text[128], error[256];
	int fd = mkstemp(path);
	struct conf c;

	OK(write(fd, "hunter2\nrest", 12) == 12);
	close(fd);
	snprintf(text, sizeof(text), "[dnsd]\nkey_file = %s\n", path);
	STR_IS(parse(text, &c), "");
	STR_IS(c.key.value, "hunter2");
	conf_fini(ROWS, &c, sizeof(c));

	chmod(path, 0644);
	snprintf(error, sizeof(error),
		"culvert.conf:2: dnsd.key_file: %s may be read by others (mode 0644, want 0400)",
		path);
	refuse(text, error);
	unlink(path);
	snprintf(error, sizeof(error),
		"culvert.conf:2: dnsd.key_file: %s: No such file or directory", path);
	refuse(text, error);
}

/* The credential NAME in directory dir, which CREDENTIALS_DIRECTORY names. */
static void give_credential(const char *dir, const char *name, const char *value, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	f = fopen(path, "w");
	OK(f != NULL);
	fputs(value, f);
	fclose(f);
	chmod(path, mode);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
}

static void test_credential_of_the_service_manager_goes_before_the_file(void)
{
	static const char text[] = "[dnsd]\nkey_file = /nonexistent/secrets/redis-dnsd\n";
	static const char missing[] =
		"culvert.conf:2: dnsd.key_file: /nonexistent/secrets/redis-dnsd: "
		"No such file or directory";
	char dir[] = "/tmp/test_confXXXXXX", path[64];
	struct conf c;

	OK(mkdtemp(dir) != NULL);
	give_credential(dir, "redis-dnsd", "hunter2\n", 0440);
	STR_IS(parse(text, &c), "");
	STR_IS(c.key.value, "hunter2");
	conf_fini(ROWS, &c, sizeof(c));

	give_credential(dir, "redis-dnsd", "hunter2\n", 0444);
	refuse(text,
		"culvert.conf:2: dnsd.key_file: /nonexistent/secrets/redis-dnsd may be read by "
		"others (mode 0444, want 0400)");
	give_credential(dir, "redis-dnsd", "\n", 0400);
	refuse(text, missing);
	snprintf(path, sizeof(path), "%s/redis-dnsd", dir);
	unlink(path);
	refuse(text, missing);
	unsetenv("CREDENTIALS_DIRECTORY");
	rmdir(dir);
}

static void test_instance_comes_from_the_unit(void)
{
	struct conf c;

	setenv("CULVERT_INSTANCE", "3", 1);
	STR_IS(parse("[dnsd]\ninstance = 7\n", &c), "");
	STR_IS(c.shared.instance, "3");
	conf_fini(ROWS, &c, sizeof(c));
	setenv("CULVERT_INSTANCE", "a b", 1);
	OK(*parse("", &c));
	unsetenv("CULVERT_INSTANCE");
	conf_fini(ROWS, &c, sizeof(c));
}

static void test_environment_overrides_the_file(void)
{
	struct conf c;

	setenv("TEST_CONF_KEY_FILE", "relative", 1);
	STR_IS(parse("", &c),
		"culvert.conf: environment TEST_CONF_KEY_FILE: relative is not an absolute path");
	unsetenv("TEST_CONF_KEY_FILE");
	conf_fini(ROWS, &c, sizeof(c));
}

static void on_tunnel_taken(void *arg, size_t tunnel)
{
	*(size_t *)arg += tunnel + 1;
}

static void test_reload_takes_what_may_change_and_leaves_the_rest(void)
{
	static const char *const live[] = { "upstreams", "intercept", NULL };
	struct conf have, next;

	STR_IS(parse("[culvert]\nlog_level=info\n[dnsd]\nupstreams=a, b\n", &have), "");
	STR_IS(parse("[culvert]\nlog_level=debug\n[dnsd]\nupstreams=a, c\ncache_mib=99\nuser=x\n",
		       &next),
		"");
	INT_IS(conf_reload(ROWS, &have, &next, live), 2);
	STR_IS(have.upstreams.v[1], "c");
	STR_IS(next.upstreams.v[1], "b"); /* freed with next */
	INT_IS(have.cache_mib, 64);
	OK(strcmp(have.shared.user, "x") != 0);
	INT_IS(have.shared.log_level, LOG_LEVEL_DEBUG);
	INT_IS(conf_reload(ROWS, &have, &have, live), 0);
	conf_fini(ROWS, &have, sizeof(have));
	conf_fini(ROWS, &next, sizeof(next));
}

static void test_reload_takes_tunnels_by_name(void)
{
	static const char *const live[] = { "addresses", "port", "mtu", NULL };
	struct conf have, next;
	size_t taken = 0;

	STR_IS(parse("[tunnel a]\naddresses=10.9.0.1/24\n"
		     "[tunnel b]\ninterface=wg1\naddresses=10.8.0.1/24\nport=51821\n",
		       &have),
		"");
	STR_IS(parse("[tunnel c]\ninterface=wg2\naddresses=10.7.0.1/24\nport=1\n"
		     "[tunnel b]\ninterface=wg7\naddresses=10.8.1.1/24\nport=51821\nmtu=1300\n",
		       &next),
		"");
	INT_IS(conf_reload_tunnels(&have.shared, &next.shared, live, on_tunnel_taken, &taken), 1);
	INT_IS(taken, 2); /* b alone */
	INT_IS(have.shared.tunnel_count, 2);
	INT_IS(have.shared.tunnels[1].mtu, 1300);
	INT_IS(have.shared.tunnels[1].addresses.v[0].addr.bytes[2], 1);
	STR_IS(have.shared.tunnels[1].interface, "wg1");
	conf_fini(ROWS, &have, sizeof(have));
	conf_fini(ROWS, &next, sizeof(next));
}

int main(void)
{
	TAP_RUN(test_defaults_without_a_line);
	TAP_RUN(test_reads_values_and_tunnels);
	TAP_RUN(test_error_names_file_line_key_and_reason);
	TAP_RUN(test_unknown_keys_and_sections_are_errors);
	TAP_RUN(test_a_key_given_twice_is_an_error);
	TAP_RUN(test_a_gateway_has_its_own_tunnels_alone);
	TAP_RUN(test_the_gateway_without_a_name_leaves_others_theirs);
	TAP_RUN(test_who_is_everybodys_knows_all_tunnels);
	TAP_RUN(test_a_gateway_without_tunnels_is_an_error);
	TAP_RUN(test_redis_of_another_machine_must_be_inside_of_a_tunnel);
	TAP_RUN(test_tunnels_that_share_something_are_an_error);
	TAP_RUN(test_a_required_key_must_be_there);
	TAP_RUN(test_a_line_that_is_neither_is_an_error);
	TAP_RUN(test_overlong_line_is_an_error);
	TAP_RUN(test_secret_comes_from_a_file_of_its_own);
	TAP_RUN(test_credential_of_the_service_manager_goes_before_the_file);
	TAP_RUN(test_instance_comes_from_the_unit);
	TAP_RUN(test_environment_overrides_the_file);
	TAP_RUN(test_reload_takes_what_may_change_and_leaves_the_rest);
	TAP_RUN(test_reload_takes_tunnels_by_name);
	return tap_done();
}
