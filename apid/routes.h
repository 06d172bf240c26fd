/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/route.h"

/* The arrays of routes, one per file apid/routes_NOUN.c; constant. */
struct route_set {
	const struct route *v;
	size_t n;
};
struct route_set routes_admins(void);
struct route_set routes_appeals(void);
struct route_set routes_audit(void);
struct route_set routes_auth(void);
struct route_set routes_backups(void);
struct route_set routes_bulk(void);
struct route_set routes_ca(void);
struct route_set routes_credentials(void);
struct route_set routes_device(void);
struct route_set routes_devices(void);
struct route_set routes_directus(void);
struct route_set routes_document(void);
struct route_set routes_explain(void);
struct route_set routes_firewall(void);
struct route_set routes_keys(void);
struct route_set routes_lists(void);
struct route_set routes_health(void);
struct route_set routes_live(void);
struct route_set routes_metrics(void);
struct route_set routes_pinned(void);
struct route_set routes_notify(void);
struct route_set routes_setup(void);
struct route_set routes_statistics(void);
struct route_set routes_tokens(void);
struct route_set routes_totp(void);
struct route_set routes_ui(void);
struct route_set routes_unblock(void);

/* All of them: routes_all(0), … until one is empty. */
struct route_set routes_all(size_t i);
