/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

#define DNSD_BLOCK_ADDRESSES_MAX 2

enum dnsd_ipv6 { DNSD_IPV6_AUTO, DNSD_IPV6_YES, DNSD_IPV6_NO };

struct dnsd_conf {
	struct conf_shared shared;
	int64_t port;
	struct endpoint system;
	struct conf_strings upstreams;
	char *upstream_ca;
	int64_t cache_mib;
	int ipv6;	/* enum dnsd_ipv6 */
	int block_mode; /* enum block_mode, without its last */
	struct conf_strings block_addresses;
	char *portal_host; /* empty: none */
};

extern const struct conf_row dnsd_conf_rows[];
extern const size_t dnsd_conf_count;
