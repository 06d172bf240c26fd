/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/conf.h"

/* The body of POST / (SPEC A1), checked against the configured tunnels. Pure. */
enum provision_task { PROVISION_UPSERT, PROVISION_REMOVE };

#define DEVICE_ID_MAX  64
#define PUBLIC_KEY_LEN 44

struct provision_request {
	enum provision_task task;
	char id[DEVICE_ID_MAX + 1];
	/* PROVISION_UPSERT */
	char public_key[PUBLIC_KEY_LEN + 1];
	char preshared_key[PUBLIC_KEY_LEN + 1]; /* "" = none */
	bool preshared_known; /* false: wg_upsert says nothing about it, the present one stays */
	const struct conf_tunnel *tunnel;
	struct addr addresses[2]; /* IPv4 first; the missing IPv6 one is derived */
	size_t address_count;
};

/* 0 or -EINVAL; why (128 bytes) says what is wrong. */
int provision_request_parse(const char *body, size_t len, const struct conf_tunnel *tunnels,
	size_t tunnel_count, struct provision_request *out, char why[static 128]);

/* The same checks for a device that is known in full: exactly these addresses, none is derived.
 * preshared_key and tunnel may be NULL: none, the tunnel that POST takes. */
struct provision_device {
	const char *id, *public_key, *preshared_key, *tunnel;
	const char *const *addresses;
	size_t address_count;
};
int provision_request_check(const struct provision_device *d, const struct conf_tunnel *tunnels,
	size_t tunnel_count, struct provision_request *out, char why[static 128]);

/* [A-Za-z0-9._:-]{1,64} */
bool device_id_is_good(const char *id);
/* Base64 of 32 bytes in its one canonical form, not all zero. */
bool public_key_is_good(const char *text);
/* NULL when there is none of that name. */
const struct conf_tunnel *tunnel_find(
	const struct conf_tunnel *tunnels, size_t n, const char *name);
/* The tunnel's own network of that family, NULL = none. */
const struct prefix *tunnel_network(const struct conf_tunnel *t, int family);
/* The IPv6 address with the host number that v4 has; the tunnel has both families. */
struct addr tunnel_v6_of(const struct conf_tunnel *t, const struct addr *v4);
/* May a device have this address in the tunnel? NULL, or why not. */
const char *tunnel_refuses(const struct conf_tunnel *t, const struct addr *a);
