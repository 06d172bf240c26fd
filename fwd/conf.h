/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

enum fwd_route_guard { ROUTE_GUARD_AUTO, ROUTE_GUARD_YES, ROUTE_GUARD_NO };

struct fwd_conf {
	struct conf_shared shared;
	bool intercept;
	bool masquerade;
	int route_guard; /* enum fwd_route_guard */
	int64_t dns_port;
	int64_t http_port, tls_port;
	int64_t proxy_port;
	char *proxyd_user;	  /* "": no output guard */
	struct endpoint resolver; /* which proxyd asks */
	int64_t mark_shift;
	int64_t address_ttl_s;
	bool path; /* HTTPS and QUIC are judged in their path where somebody reads */
	int64_t path_queue;
};

/* A name or a number; -ENOENT: no such user; -EPERM: root. */
int fwd_find_uid(const char *user, uint32_t *uid);

/* Is nothing to be routed that the rules have not seen (fwd/route_guard.h)? */
bool fwd_conf_guards_routing(const struct fwd_conf *conf);

extern const struct conf_row fwd_conf_rows[];
extern const size_t fwd_conf_count;
