/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys that every daemon has, and those of a tunnel's section. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_value.h"

#define SENTINELS_MAX 9

enum { GATEWAY_LEN_MAX = 16 };

static const char *const log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };

static int check_instance(const void *value, char *why, size_t why_len)
{
	return conf_check_word(*(char *const *)value, 16, "", why, why_len);
}

/* "" is a gateway's name, too: of the only one. */
static int check_gateway(const void *value, char *why, size_t why_len)
{
	const char *text = *(char *const *)value;

	return *text ? conf_check_word(text, GATEWAY_LEN_MAX, "-", why, why_len) : 0;
}

static int check_interface(const void *value, char *why, size_t why_len)
{
	return conf_check_word(*(char *const *)value, 15, "-_.", why, why_len);
}

static int check_redis(const void *value, char *why, size_t why_len)
{
	const char *text = *(char *const *)value;
	struct endpoint e;

	if (!strncmp(text, "unix:/", 6) ||
		(!strncmp(text, "tcp:", 4) && !endpoint_parse(text + 4, &e)))
		return 0;
	snprintf(why, why_len, "%s is neither unix:/PATH nor tcp:ADDRESS:PORT", text);
	return -EINVAL;
}

static int check_sentinels(const void *value, char *why, size_t why_len)
{
	const struct conf_strings *s = value;
	struct endpoint e;

	for (size_t i = 0; i < s->n; i++) {
		if (!endpoint_parse(s->v[i], &e))
			continue;
		snprintf(why, why_len, "%s is not ADDRESS:PORT", s->v[i]);
		return -EINVAL;
	}
	if (s->n <= SENTINELS_MAX)
		return 0;
	snprintf(why, why_len, "%zu are more than %d", s->n, SENTINELS_MAX);
	return -EINVAL;
}

static int check_master(const void *value, char *why, size_t why_len)
{
	return conf_check_word(*(char *const *)value, 64, "-_.", why, why_len);
}

static int check_addresses(const void *value, char *why, size_t why_len)
{
	const struct conf_prefixes *p = value;

	if (p->n)
		return 0;
	snprintf(why, why_len, "needs at least one address");
	return -EINVAL;
}

#define AT(field) offsetof(struct conf_shared, field)
static const struct conf_row shared_rows[] = {
	{ "culvert", "state_dir", CONF_PATH, AT(state_dir), "/var/lib/culvert", .max = 0,
		.help = "Directory of lasting state; each daemon uses the directory below it that "
			"bears its name." },
	{ "culvert", "cache_dir", CONF_PATH, AT(cache_dir), "/var/cache/culvert",
		.help = "Directory of what can be fetched again; used like state_dir." },
	{ "culvert", "log_level", CONF_ENUM, AT(log_level), "info", .values = log_levels,
		.help = "Most talkative level that is written." },
	{ "culvert", "gateway", CONF_STRING, AT(gateway), "", .check = check_gateway,
		.env = "CULVERT_GATEWAY",
		.help = "Name of this machine's gateway, where several share one bus: its daemons "
			"serve "
			"the tunnels that name it, and no device of another tunnel. Empty: there "
			"is one." },
	{ "bus", "redis", CONF_STRING, AT(redis), "unix:/run/culvert/redis.sock",
		.check = check_redis, .help = "The Redis server: unix:PATH or tcp:ADDRESS:PORT." },
	{ "bus", "redis_sentinels", CONF_STRINGS, AT(redis_sentinels), "", .check = check_sentinels,
		.help = "Redis Sentinels, ADDRESS:PORT each: the master that they name is used in "
			"place of `redis`, and the one that takes its place." },
	{ "bus", "redis_master", CONF_STRING, AT(redis_master), "culvert", .check = check_master,
		.help = "What the Sentinels call it." },
	{ "bus", "redis_sentinel_auth", CONF_BOOL, AT(redis_sentinel_auth), "yes",
		.help = "Do daemons tell Sentinels user and password, the same as Redis?." },
	{ "bus", "networks", CONF_PREFIXES, AT(networks), "",
		.help = "Networks inside of a tunnel between machines. Redis and Sentinels of "
			"another "
			"machine are used in one of these alone: on the way to them nothing is "
			"encrypted." },
	{ CONF_OWN_SECTION, "redis_password_file", CONF_SECRET, AT(redis_password), "",
		.help = "File with this daemon's Redis password." },
	{ CONF_OWN_SECTION, "user", CONF_STRING, AT(user), "", .max = 32,
		.help = "User (name or number) the daemon runs as when started by root; default "
			"culvert-DAEMON." },
	{ CONF_OWN_SECTION, "instance", CONF_STRING, AT(instance), "1", .check = check_instance,
		.env = "CULVERT_INSTANCE",
		.help = "Name of this process among several of the same daemon." },
};
#undef AT

#define AT(field) offsetof(struct conf_tunnel, field)
static const struct conf_row tunnel_rows[] = {
	{ "tunnel", "gateway", CONF_STRING, AT(gateway), "", .check = check_gateway,
		.help = "The gateway that has it (culvert.gateway of its machine)." },
	{ "tunnel", "endpoint", CONF_STRING, AT(endpoint), "", .max = 253,
		.help = "Name or address where devices reach it from outside. Empty: the setting "
			"`endpoint`, which suits one gateway." },
	{ "tunnel", "interface", CONF_STRING, AT(interface), "wg0", .check = check_interface,
		.help = "Name of the network interface." },
	{ "tunnel", "addresses", CONF_PREFIXES, AT(addresses), NULL, .check = check_addresses,
		.help = "The gateway's own addresses with the subnet's length, one per family." },
	{ "tunnel", "port", CONF_INT, AT(port), "51820", .min = 1, .max = 65535,
		.help = "UDP port of WireGuard." },
	{ "tunnel", "mtu", CONF_INT, AT(mtu), "1420", .min = 1280, .max = 65000,
		.help = "MTU of the interface in bytes." },
};
#undef AT

const struct conf_row *conf_shared_rows(size_t *count)
{
	*count = sizeof(shared_rows) / sizeof(shared_rows[0]);
	return shared_rows;
}

const struct conf_row *conf_tunnel_rows(size_t *count)
{
	*count = sizeof(tunnel_rows) / sizeof(tunnel_rows[0]);
	return tunnel_rows;
}
