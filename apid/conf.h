/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

/* Section [apid]. */
struct apid_conf {
	struct conf_shared shared; /* first */
	struct endpoint provision;
	struct conf_secret api_key;
	char *db_socket;
	struct conf_strings db_hosts; /* then db_socket is not used */
	char *db_name;
	char *db_user;
	struct conf_secret db_password;
	char *seed_file; /* NULL or "" = none */
	struct endpoint admin;
	struct conf_strings admin_host;
	bool admin_tls;
	char *admin_cert_file, *admin_key_file;
	struct conf_prefixes trusted_proxies;
	struct conf_secret secret;
	int64_t session_idle_min, session_max_h;
	int64_t rate_address, rate_account;
	int64_t bcrypt_cost;
	int64_t audit_days, audit_mib;
	struct conf_secret metrics_token;
	int64_t statistics_minute_h, statistics_hour_days, statistics_day_days,
		statistics_domain_days;
	int64_t statistics_rows, statistics_write_s;
	int64_t live_readers, live_readers_per_session, live_ping_s;
	int64_t device_port;
	struct conf_secret turn_secret;
	struct conf_strings turn_uris;
	int64_t turn_ttl_s;
	int64_t appeals_days, appeals_requeue_s;
	struct conf_secret directus_secret;
	struct conf_secret notify_webhook_secret, notify_smtp_password;
	char *notify_ca;
	bool notify_private;
	struct endpoint resolver;
};

extern const struct conf_row apid_conf_rows[];
extern const size_t apid_conf_count;
