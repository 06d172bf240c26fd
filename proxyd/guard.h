/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/conf.h"
#include "common/hmap.h"
#include "common/policy/directory.h"
#include "common/policy/profile.h"
#include "proxyd/own_names.h"
#include <stdbool.h>

/*
 * Where proxyd may connect for a device (SPEC P15): the device's profile and its egress guard (F13)
 * hold, and never an address of this host, the bus or a device, 0/8, 127/8, 169.254/16, multicast,
 * reserved, or a form that hides another address (NAT64, 6to4, IPv4-compatible). The local network
 * is settings.lan_prefixes and what this host's interfaces are in (SPEC F2).
 */
struct guard {
	struct prefix *own; /* of this host's interfaces, host bits kept */
	size_t own_count;
	uint64_t read_at;		   /* monotonic ms */
	struct addr bus;		   /* of Redis on another host; family 0 = here */
	const struct conf_shared *conf;	   /* has the tunnels; NULL = none */
	const struct conf_prefixes *never; /* by configuration; NULL = none */
	struct hmap profiles;		   /* of an admin: name → struct profile */
	struct own_names names;		   /* of an admin, too */
};

void guard_init(struct guard *g);
void guard_fini(struct guard *g);
/* An admin's profile is this from now on, or (NULL) is not there: its devices connect nowhere. The
 * built-in ones cannot be replaced. Takes over what def owns. 0, -EEXIST; -ENOMEM: the former one
 * stays. */
int guard_set_profile(struct guard *g, const char *name, struct profile *def);
/* May it connect there by TCP? NULL = allowed, else why not, for the log and the error page. */
const char *guard_check(struct guard *g, const struct device_view *dev,
	const struct settings *settings, const struct endpoint *to);
/* May a name lead there, whatever the profile? A public one never leads inside (SPEC D7,
 * rebinding): the device would be told another address by DNS. Not for settings.rebind_exceptions,
 * names that are never public, and those to which the admin gave addresses. An address literal
 * may. NULL or why not. */
const char *guard_check_name(const struct guard *g, const struct settings *settings,
	const char *host, const struct addr *to);
