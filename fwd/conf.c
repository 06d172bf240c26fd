/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/conf.h"

#include "fwd/marks.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

int fwd_find_uid(const char *user, uint32_t *uid)
{
	char *end;
	unsigned long number = strtoul(user, &end, 10);
	const struct passwd *pw = NULL;

	if (*user < '0' || *user > '9' || *end || number > UINT32_MAX - 1) {
		pw = getpwnam(user);
		if (!pw)
			return -ENOENT;
		number = pw->pw_uid;
	}
	*uid = (uint32_t)number;
	return number ? 0 : -EPERM;
}

bool fwd_conf_guards_routing(const struct fwd_conf *conf)
{
	return conf->route_guard == ROUTE_GUARD_AUTO ? !conf->masquerade
						     : conf->route_guard == ROUTE_GUARD_YES;
}

static const char *const guard_values[] = { "auto", "yes", "no", NULL };

static int check_user(const void *value, char *why, size_t why_len)
{
	const char *user = *(char *const *)value;
	uint32_t uid;
	int err = user && *user ? fwd_find_uid(user, &uid) : 0;

	if (err)
		snprintf(why, why_len, err == -EPERM ? "%s is root" : "no user %s", user);
	return err ? -EINVAL : 0;
}

#define AT(field) offsetof(struct fwd_conf, field)
/* clang-format off */
const struct conf_row fwd_conf_rows[] = {
	{ "fwd", "intercept", CONF_BOOL, AT(intercept), "yes",
		.help = "Redirect the devices' ports 80 and 443 (not to the LAN) to proxyd, at http_port and tls_port." },
	{ "fwd", "http_port", CONF_INT, AT(http_port), "3128", .min = 1, .max = 65535,
		.help = "Port of proxyd on the tunnel addresses for the devices' port 80." },
	{ "fwd", "tls_port", CONF_INT, AT(tls_port), "3129", .min = 1, .max = 65535,
		.help = "Port of proxyd on the tunnel addresses for the devices' port 443." },
	{ "fwd", "masquerade", CONF_BOOL, AT(masquerade), "yes",
		.help = "Give what devices send out of other interfaces the gateway's own address." },
	{ "fwd", "route_guard", CONF_ENUM, AT(route_guard), "auto", .values = guard_values,
		.help = "Route nothing of a device while the rules are gone (nft flush ruleset), for a tenth of the rate: "
			"auto where masquerade is off, for else no answer finds the way back. Taken at a start." },
	{ "fwd", "dns_port", CONF_INT, AT(dns_port), "53", .min = 1, .max = 65535,
		.help = "Port of dnsd on the tunnel addresses, where every DNS query is redirected." },
	{ "fwd", "proxy_port", CONF_INT, AT(proxy_port), "8080", .min = 1, .max = 65535,
		.help = "Port of the explicit proxy on the tunnel addresses." },
	{ "fwd", "proxyd_user", CONF_STRING, AT(proxyd_user), "", .max = 32, .check = check_user,
		.help = "User that proxyd runs as, a name or a number: its connections are limited in the kernel, too. Empty: they are not." },
	{ "fwd", "resolver", CONF_ENDPOINT, AT(resolver), "127.0.0.1:5300",
		.help = "Dnsd's system listener, which proxyd's user may ask."},
	{ "fwd", "mark_shift", CONF_INT, AT(mark_shift), "0", .min = 0, .max = MARK_SHIFT_MAX,
		.help = "Lowest bits of the packet mark that are left to other programs. Taken at a start." },
	{ "fwd", "path", CONF_BOOL, AT(path), "yes",
		.help = "Judge HTTPS of devices whose https_path is inline in the path, while proxyd --path reads." },
	{ "fwd", "path_queue", CONF_INT, AT(path_queue), "3129", .min = 0, .max = 65535,
		.help = "Number of the kernel's packet queue that proxyd --path reads." },
	{ "fwd", "address_ttl_s", CONF_INT, AT(address_ttl_s), "86400", .min = 60, .max = 604800,
		.env = "SQUID_IPSET_TIMEOUT",
		.help = "Seconds for which an address of a listed name stays blocked after it was seen last." },
};
/* clang-format on */
const size_t fwd_conf_count = sizeof(fwd_conf_rows) / sizeof(fwd_conf_rows[0]);
