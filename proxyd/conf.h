/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

/* Section [proxyd]; of proxyd --path, section [path], which has fewer rows. */
struct proxyd_conf {
	struct conf_shared shared;
	int64_t port;
	int64_t http_port, tls_port;		     /* intercepted; 0: none */
	int64_t portal_http_port, portal_https_port; /* 0: none */
	int64_t tunnel_idle_s;
	struct conf_strings sni_log_ips;
	int64_t sni_log_ttl_s;
	char *access_log; /* empty: none */
	char *ca_dir;	  /* empty: <state_dir>/ca */
	char *upstream_ca;
	char *portal_host;	   /* empty: none */
	int64_t image_parse_limit; /* bytes */
	int64_t image_cache;	   /* images */
	char *appeal_path;
	int64_t appeals_per_hour;
	char *language, *texts_dir, *brand_dir; /* as pages_open has them */
	struct conf_ints connect_ports, http_ports;
	bool http_high_ports;
	bool mitm_ignore_resolve;
	int64_t connect_s, answer_s, idle_s;
	int64_t pinned_after, pinned_s; /* refusals, 0: never; how long a pass-through lasts */
	int64_t pool_max;		/* idle connections to web servers */
	struct conf_prefixes never;	/* addresses that nobody is connected to */
	struct endpoint resolver;
	int64_t path_queue; /* of proxyd --path */
	int64_t path_flows;
};

extern const struct conf_row proxyd_conf_rows[];
extern const size_t proxyd_conf_count;
extern const struct conf_row path_conf_rows[];
extern const size_t path_conf_count;
