/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/guard.h"
#include "common/policy/rebind.h"
#include "common/timer.h"
#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

/* How long the list of own addresses is used, ms. */
#define OWN_AGE_MS 2000

static const struct {
	uint8_t family;
	uint8_t bytes[16];
	uint8_t len;
} never[] = {
	{ AF_INET, { 0 }, 8 }, /* this network */
	{ AF_INET, { 127 }, 8 },
	{ AF_INET, { 169, 254 }, 16 },
	{ AF_INET, { 192, 0, 0 }, 24 },		      /* protocol assignments, DS-Lite */
	{ AF_INET, { 224 }, 4 },		      /* multicast */
	{ AF_INET, { 240 }, 4 },		      /* reserved, broadcast */
	{ AF_INET6, { 0 }, 96 },		      /* unspecified, loopback, IPv4-compatible */
	{ AF_INET6, { [8] = 0xff, 0xff }, 96 },	      /* SIIT, RFC 2765 */
	{ AF_INET6, { 0x00, 0x64, 0xff, 0x9b }, 32 }, /* NAT64, both prefixes */
	{ AF_INET6, { 0x20, 0x02 }, 16 },	      /* 6to4 */
	{ AF_INET6, { 0x20, 0x01, 0, 0 }, 32 },	      /* Teredo */
	{ AF_INET6, { 0xfe, 0x80 }, 10 },
	{ AF_INET6, { 0xff }, 8 },
};

static bool is_never(const struct addr *a)
{
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		struct prefix p = { .addr.family = never[i].family, .len = never[i].len };
		memcpy(p.addr.bytes, never[i].bytes, sizeof(p.addr.bytes));
		if (prefix_contains(&p, a))
			return true;
	}
	return false;
}

/* Number of leading one bits. */
static uint8_t mask_len(const struct sockaddr *mask)
{
	struct addr a = { .family = (uint8_t)mask->sa_family };
	uint8_t len = 0;

	/* Not addr_from_sockaddr: a mask is no address and may look like a mapped one. */
	if (mask->sa_family == AF_INET)
		memcpy(a.bytes, &((const struct sockaddr_in *)(const void *)mask)->sin_addr, 4);
	else if (mask->sa_family == AF_INET6)
		memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr, 16);
	while (len < addr_len(&a) * 8 && (a.bytes[len / 8] & (0x80 >> (len % 8))))
		len++;
	return len;
}

/* Of all interfaces, without a carrier too: the kernel takes what is sent there for its own. */
static void read_own(struct guard *g)
{
	struct ifaddrs *list;
	size_t count = 0;

	g->read_at = clock_mono_ms();
	if (getifaddrs(&list))
		return;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next)
		count++;
	struct prefix *own = calloc(count + 1, sizeof(*own));
	count = 0;
	for (const struct ifaddrs *i = own ? list : NULL; i; i = i->ifa_next) {
		struct addr a = { 0 };

		if (i->ifa_addr && i->ifa_netmask)
			a = addr_from_sockaddr(i->ifa_addr);
		if (a.family)
			own[count++] = (struct prefix){ a, mask_len(i->ifa_netmask) };
	}
	if (own) {
		free(g->own);
		g->own = own;
		g->own_count = count;
	}
	freeifaddrs(list);
}

static bool is_own(const struct guard *g, const struct addr *a)
{
	for (size_t i = 0; i < g->own_count; i++) {
		if (addr_equal(&g->own[i].addr, a))
			return true;
	}
	return !g->own; /* not known: closed */
}

static bool is_lan(const struct guard *g, const struct settings *s, const struct addr *a)
{
	for (size_t i = 0; i < s->lan_prefix_count; i++) {
		if (prefix_contains(&s->lan_prefixes[i], a))
			return true;
	}
	for (size_t i = 0; i < g->own_count; i++) {
		if (prefix_contains(&g->own[i], a))
			return true;
	}
	return false;
}

/* Device to device is closed (SPEC F2). */
static bool is_in_tunnel(const struct guard *g, const struct addr *a)
{
	for (size_t i = 0; g->conf && i < g->conf->tunnel_count; i++) {
		const struct conf_prefixes *nets = &g->conf->tunnels[i].addresses;
		for (size_t k = 0; k < nets->n; k++) {
			if (prefix_contains(&nets->v[k], a))
				return true;
		}
	}
	return false;
}

static bool is_configured_never(const struct guard *g, const struct addr *a)
{
	for (size_t i = 0; g->never && i < g->never->n; i++) {
		if (prefix_contains(&g->never->v[i], a))
			return true;
	}
	return false;
}

/* ---- profiles of an admin ---- */

static bool is_builtin(const char *name)
{
	return !strcmp(name, "full") || !strcmp(name, "internet") || !strcmp(name, "intranet") ||
	       !strcmp(name, "walled");
}

static void free_profile(void *value)
{
	profile_fini(value);
	free(value);
}

void guard_init(struct guard *g)
{
	*g = (struct guard){ 0 };
	hmap_init(&g->profiles, free_profile);
	own_names_init(&g->names);
}

void guard_fini(struct guard *g)
{
	free(g->own);
	hmap_fini(&g->profiles);
	own_names_fini(&g->names);
	*g = (struct guard){ 0 };
}

int guard_set_profile(struct guard *g, const char *name, struct profile *def)
{
	struct profile *copy = NULL;
	int err = is_builtin(name) ? -EEXIST : 0;

	if (!def || err) {
		if (def)
			profile_fini(def);
		hmap_remove_str(&g->profiles, name);
		return err;
	}
	copy = malloc(sizeof(*copy));
	if (copy)
		*copy = *def;
	err = copy ? hmap_set_str(&g->profiles, name, copy) : -ENOMEM;
	if (err) {
		profile_fini(def);
		free(copy);
	}
	return err;
}

/* ---- the decision ---- */

static const char *check_never(const struct guard *g, const struct addr *to)
{
	if (is_never(to))
		return "the address is special";
	if (addr_equal(&g->bus, to))
		return "the address is the bus";
	if (is_configured_never(g, to))
		return "the address is closed by the gateway's configuration";
	if (is_own(g, to))
		return "the address is the gateway's own";
	return is_in_tunnel(g, to) ? "the address is another device's" : NULL;
}

static const char *check_profile(
	const struct guard *g, const char *name, const struct endpoint *to, bool lan)
{
	const struct profile *p;

	if (!strcmp(name, "full"))
		return NULL;
	/* Policy lets a walled device ask for renewal hosts only. */
	if (!strcmp(name, "internet") || !strcmp(name, "walled"))
		return lan ? "the address is in the local network" : NULL;
	if (!strcmp(name, "intranet"))
		return lan ? NULL : "the address is not in the local network";
	p = hmap_find_str(&g->profiles, name);
	if (p && profile_allows(p, &to->addr, IPPROTO_TCP, to->port))
		return NULL;
	return "the device's profile allows no such connection";
}

static bool is_port_among(const struct rec_strs *specs, uint16_t port)
{
	struct port_spec p;

	for (size_t i = 0; i < specs->n; i++) {
		if (!port_spec_parse(specs->v[i], &p) && p.protocol == IPPROTO_TCP &&
			port >= p.from && port <= p.to)
			return true;
	}
	return false;
}

/* As the firewall's, which sees the proxy alone: outside the LAN, and nothing more comes between a
 * walled device and its renewal hosts. */
static const char *check_egress(
	const struct device_view *dev, const struct settings *settings, uint16_t port)
{
	bool is_let = !strcmp(dev->profile, "walled");

	switch (dev->egress) {
	case EGRESS_OFF:
		return NULL;
	case EGRESS_DENY_TUNNELS:
		is_let |= !is_port_among(&settings->egress_denied_ports, port);
		break;
	default:
		is_let |= is_port_among(&settings->egress_web_ports, port);
		break;
	}
	return is_let ? NULL : "the device's egress guard allows no such port";
}

const char *guard_check(struct guard *g, const struct device_view *dev,
	const struct settings *settings, const struct endpoint *to)
{
	const char *why;
	bool lan;

	if (!g->own || clock_mono_ms() - g->read_at > OWN_AGE_MS)
		read_own(g);
	why = check_never(g, &to->addr);
	lan = is_lan(g, settings, &to->addr);
	if (!why && !lan)
		why = check_egress(dev, settings, to->port);
	return why ? why : check_profile(g, dev->profile, to, lan);
}

const char *guard_check_name(const struct guard *g, const struct settings *settings,
	const char *host, const struct addr *to)
{
	struct addr literal;

	if (!rebind_is_inside(settings, to) || !addr_parse(host, &literal) ||
		rebind_is_exempt(settings, host, strlen(host)) ||
		own_names_has_address(&g->names, host))
		return NULL;
	return "a public name leads into the local network (rebinding)";
}
