/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/codec.h"

/* How often byte quotas begin anew: at 00:00 UTC of a day, a Monday, a first of the month. */
enum quota_period {
	QUOTA_PERIOD_DAY,
	QUOTA_PERIOD_WEEK,
	QUOTA_PERIOD_MONTH,
	QUOTA_PERIOD_NEVER,
	QUOTA_PERIODS
};
/* "day", "week", "month", "never". */
const char *quota_period_text(enum quota_period p);

/* The topic `settings` as one struct. A value of a wrong type leaves the default where that is the
 * stricter one, else closes (device_defaults.closed, switches on); the bad key is logged. */
struct settings {
	char *endpoint; /* host name or address that devices connect to; NULL = not set */
	struct prefix *lan_prefixes; /* F2; by default RFC 1918, 100.64/10, 169.254/16, fc00::/7,
					fe80::/10 */
	size_t lan_prefix_count;
	struct rec_policy_fields device_defaults;
	int policy_source;		   /* enum policy_source */
	bool premium_vpn_enabled;	   /* default true */
	bool subscription_required;	   /* default false */
	int64_t expired_grace_days;	   /* default 30 */
	enum quota_period quota_period;	   /* default month */
	bool offline_vpn, offline_browser; /* global switches, default false */
	struct rec_strs
		connectivity_checks;   /* names that always pass; default: the usual OS probes */
	struct rec_strs renewal_hosts; /* what a walled device may reach */
	/* Names that may lead to private addresses (D7), with all below them; default: none. */
	struct rec_strs rebind_exceptions;
	char *portal_host; /* the name that stands for the gateway itself (D5); NULL = none */
	bool query_log;	   /* what every device asks for is told (DNS queries, websites), as its
			      privacy allows; default false */
	/* F13, each as port_spec_parse takes it: what egress `deny_tunnels` refuses besides tunnel
	 * protocols, what `web` allows. A wrong value is the default. */
	struct rec_strs egress_denied_ports, egress_web_ports;
};

/* "tcp:80", "udp:5000-5010". -EINVAL. */
struct port_spec {
	uint8_t protocol;  /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t from, to; /* both belong to it */
};
int port_spec_parse(const char *text, struct port_spec *out);

void settings_init(struct settings *s); /* the defaults */
void settings_fini(struct settings *s);
/* Has value the form that the key asks for? 0, also for a key of another version; -EINVAL, -ENOMEM.
 */
int settings_check(const char *id, const cJSON *value);
/* One record of the topic; rec NULL = back to the default. -ENOENT: a key that nobody here knows;
 * -ENOMEM: the value there was, or the default, until it is said again. */
int settings_apply(struct settings *s, const char *id, const struct rec_setting *rec);
