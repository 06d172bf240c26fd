/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/conf.h"

#include "dnsd/forward.h"
#include <errno.h>
#include <stdio.h>

static const char *const ipv6_values[] = { "auto", "yes", "no", NULL };
static const char *const block_values[] = { "null", "nxdomain", "refused", "address", NULL };

static int check_upstreams(const void *value, char *why, size_t why_len)
{
	const struct conf_strings *list = value;

	if (!list->n || list->n > FORWARD_UPSTREAMS_MAX) {
		snprintf(why, why_len, "there must be 1 to %d upstreams", FORWARD_UPSTREAMS_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct upstream_spec spec;
		if (upstream_parse(list->v[i], &spec, why, why_len))
			return -EINVAL;
	}
	return 0;
}

static int check_loopback(const void *value, char *why, size_t why_len)
{
	const struct endpoint *at = value;
	struct prefix v4, v6;

	prefix_parse("127.0.0.0/8", &v4);
	prefix_parse("::1/128", &v6);
	if (prefix_contains(&v4, &at->addr) || prefix_contains(&v6, &at->addr))
		return 0;
	snprintf(why, why_len, "it must be a loopback address");
	return -EINVAL;
}

static int check_addresses(const void *value, char *why, size_t why_len)
{
	const struct conf_strings *list = value;
	struct addr a;

	for (size_t i = 0; i < list->n; i++) {
		if (addr_parse(list->v[i], &a) || list->n > DNSD_BLOCK_ADDRESSES_MAX) {
			snprintf(why, why_len, "up to %d addresses", DNSD_BLOCK_ADDRESSES_MAX);
			return -EINVAL;
		}
	}
	return 0;
}

#define AT(field) offsetof(struct dnsd_conf, field)
/* clang-format off */
const struct conf_row dnsd_conf_rows[] = {
	{ "dnsd", "port", CONF_INT, AT(port), "53", .min = 1, .max = 65535,
		.help = "Port on every tunnel address, UDP and TCP." },
	{ "dnsd", "system", CONF_ENDPOINT, AT(system), "127.0.0.1:5300", .check = check_loopback,
		.help = "Where the gateway's own daemons ask, without lists." },
	{ "dnsd", "upstreams", CONF_STRINGS, AT(upstreams),
		"tls://1.1.1.1:853#one.one.one.one, tls://1.0.0.1:853#one.one.one.one",
		.check = check_upstreams,
		.help = "Resolvers to ask: tls://ADDRESS:PORT#NAME, or udp://ADDRESS:PORT in the clear." },
	{ "dnsd", "upstream_ca", CONF_PATH, AT(upstream_ca), "/etc/ssl/certs/ca-certificates.crt",
		.help = "Trusted CAs (PEM) for the names of tls:// upstreams." },
	{ "dnsd", "cache_mib", CONF_INT, AT(cache_mib), "64", .min = 1, .max = 4096,
		.help = "Bytes of the cache of answers, in MiB." },
	{ "dnsd", "ipv6", CONF_ENUM, AT(ipv6), "auto", .values = ipv6_values,
		.help = "Are IPv6 addresses given to devices; auto: when the gateway has a route there." },
	{ "dnsd", "block_mode", CONF_ENUM, AT(block_mode), "null", .values = block_values,
		.help = "Answer for a blocked name: null (0.0.0.0 and ::), nxdomain, refused, "
			"address (those of block_addresses)." },
	{ "dnsd", "block_addresses", CONF_STRINGS, AT(block_addresses), "",
		.check = check_addresses,
		.help = "Addresses for block_mode=address, one of each family; a family without one is "
			"answered with no data." },
	{ "dnsd", "portal_host", CONF_STRING, AT(portal_host), "", .max = 253, .env = "PORTAL_HOST",
		.help = "Name that stands for the gateway itself where the setting portal_host names none." },
};
/* clang-format on */
const size_t dnsd_conf_count = sizeof(dnsd_conf_rows) / sizeof(dnsd_conf_rows[0]);
