/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/gateway.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct addr *gateway_address(const struct proxy *p, const struct addr *device)
{
	const struct conf_shared *c = &p->conf->shared;
	const struct addr *other = NULL;

	for (size_t i = 0; i < c->tunnel_count; i++) {
		for (size_t k = 0; k < c->tunnels[i].addresses.n; k++) {
			const struct prefix *own = &c->tunnels[i].addresses.v[k];
			if (prefix_contains(own, device))
				return &own->addr;
			if (!other)
				other = &own->addr;
		}
	}
	return other;
}

void gateway_address_text(
	const struct proxy *p, const struct addr *device, char out[static GATEWAY_HOST_LEN])
{
	const struct addr *a = gateway_address(p, device);
	char text[ADDR_STRLEN];

	*out = '\0';
	if (!a)
		return;
	addr_format(a, text);
	snprintf(out, GATEWAY_HOST_LEN, a->family == AF_INET6 ? "[%s]" : "%s", text);
}

/* Where browsers that are to find their proxy by themselves look for its script. */
#define WPAD "wpad"

bool gateway_is_name(const char *text)
{
	size_t len = strlen(text);

	return len && len < GATEWAY_HOST_LEN &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
		       len;
}

const char *gateway_name(const struct proxy *p)
{
	const struct settings *s = p->dir ? directory_settings(p->dir) : NULL;

	if (s && s->portal_host && gateway_is_name(s->portal_host))
		return s->portal_host;
	return p->conf->portal_host;
}

void gateway_link_host(
	const struct proxy *p, const struct addr *device, char out[static GATEWAY_HOST_LEN])
{
	const char *name = gateway_name(p);

	if (*name)
		snprintf(out, GATEWAY_HOST_LEN, "%s", name);
	else
		gateway_address_text(p, device, out);
}

bool gateway_is_host(const struct proxy *p, const char *host)
{
	const struct conf_shared *c = &p->conf->shared;
	const char *name = gateway_name(p);
	struct addr a;

	if ((*name && !strcasecmp(host, name)) || !strcmp(host, WPAD))
		return true;
	if (addr_parse(host, &a))
		return false;
	for (size_t i = 0; i < c->tunnel_count; i++) {
		for (size_t k = 0; k < c->tunnels[i].addresses.n; k++) {
			if (addr_equal(&c->tunnels[i].addresses.v[k].addr, &a))
				return true;
		}
	}
	return false;
}
