/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/routes.h"

static struct route_set (*const sets[])(void) = {
	routes_admins,
	routes_appeals,
	routes_audit,
	routes_auth,
	routes_backups,
	routes_bulk,
	routes_ca,
	routes_device,
	routes_devices,
	routes_credentials,
	routes_directus,
	routes_document,
	routes_explain,
	routes_firewall,
	routes_keys,
	routes_lists,
	routes_health,
	routes_live,
	routes_metrics,
	routes_pinned,
	routes_notify,
	routes_setup,
	routes_statistics,
	routes_tokens,
	routes_totp,
	routes_ui,
	routes_unblock,
};

struct route_set routes_all(size_t i)
{
	return i < sizeof(sets) / sizeof(sets[0]) ? sets[i]() : (struct route_set){ 0 };
}
