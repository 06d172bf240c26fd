/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* What the gateway is called, towards a device: its addresses in the tunnel and the portal's name.
 */

#define GATEWAY_HOST_LEN 256 /* with brackets and the zero */

/* The gateway's own address of that family in the tunnel that the device's address is in; another
 * tunnel address where there is none. NULL = there is no tunnel. */
const struct addr *gateway_address(const struct proxy *p, const struct addr *device);
/* The same as it stands in URLs ("10.9.0.1", "[fd09::1]"); "" = there is no tunnel. */
void gateway_address_text(
	const struct proxy *p, const struct addr *device, char out[static GATEWAY_HOST_LEN]);
/* A host name that stands in links and scripts as it is. */
bool gateway_is_name(const char *text);
/* The portal's name (setting portal_host, else the configuration's); "" = none. A setting
 * that is no host name counts as none. */
const char *gateway_name(const struct proxy *p);
/* What links to the portal say: its name, else the address as above. */
void gateway_link_host(
	const struct proxy *p, const struct addr *device, char out[static GATEWAY_HOST_LEN]);
/* Is it one of the gateway's own names, "wpad" among them? host: lower-case, literals without
 * brackets. */
bool gateway_is_host(const struct proxy *p, const char *host);
