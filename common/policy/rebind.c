/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/rebind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct prefix private_prefixes[] = {
	{ { AF_INET, { 0 } }, 8 },
	{ { AF_INET, { 10 } }, 8 },
	{ { AF_INET, { 100, 64 } }, 10 },
	{ { AF_INET, { 127 } }, 8 },
	{ { AF_INET, { 169, 254 } }, 16 },
	{ { AF_INET, { 172, 16 } }, 12 },
	{ { AF_INET, { 192, 168 } }, 16 },
	{ { AF_INET, { 255, 255, 255, 255 } }, 32 },
	{ { AF_INET6, { 0 } }, 127 },				/* :: and ::1 */
	{ { AF_INET6, { 0x00, 0x64, 0xff, 0x9b, 0, 1 } }, 48 }, /* local NAT64, RFC 8215 */
	{ { AF_INET6, { 0xfc } }, 7 },
	{ { AF_INET6, { 0xfe, 0x80 } }, 10 },
	{ { AF_INET6, { 0xfe, 0xc0 } }, 10 },
};
#define PRIVATE_COUNT (sizeof(private_prefixes) / sizeof(private_prefixes[0]))

/* IPv6 prefixes that an IPv4 address stands behind. */
static const struct {
	struct prefix prefix;
	size_t at; /* of the IPv4 address */
} embedded[] = {
	{ { { AF_INET6, { 0 } }, 96 }, 12 },			  /* compatible */
	{ { { AF_INET6, { 0x00, 0x64, 0xff, 0x9b } }, 96 }, 12 }, /* NAT64, RFC 6052 */
	{ { { AF_INET6, { 0x20, 0x02 } }, 16 }, 2 },		  /* 6to4 */
	{ { { AF_INET6, { [8] = 0xff, 0xff } }, 96 }, 12 },	  /* SIIT, RFC 2765 */
};

static bool is_within(const struct prefix *v, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (prefix_contains(&v[i], a))
			return true;
	}
	return false;
}

static bool is_in(const struct prefix *v, size_t n, const struct addr *a)
{
	if (is_within(v, n, a))
		return true;
	if (a->family != AF_INET6)
		return false;
	for (size_t i = 0; i < sizeof(embedded) / sizeof(embedded[0]); i++) {
		struct addr inner = addr_from_bytes(AF_INET, a->bytes + embedded[i].at);
		if (prefix_contains(&embedded[i].prefix, a) && is_within(v, n, &inner))
			return true;
	}
	return false;
}

bool rebind_is_private(const struct addr *a)
{
	return is_in(private_prefixes, PRIVATE_COUNT, a);
}

void rebind_fini(struct rebind *r)
{
	free(r->own);
	*r = (struct rebind){ NULL, 0 };
}

static void add(struct rebind *r, const struct prefix *p)
{
	struct prefix network = prefix_network(p);

	for (size_t i = 0; i < PRIVATE_COUNT; i++) {
		if (private_prefixes[i].len <= network.len &&
			prefix_contains(&private_prefixes[i], &network.addr))
			return;
	}
	r->own[r->own_count++] = network;
}

int rebind_set(struct rebind *r, const struct conf_shared *conf, const struct settings *s)
{
	size_t n = s->lan_prefix_count + 1;
	struct rebind fresh = { NULL, 0 };

	for (size_t i = 0; i < conf->tunnel_count; i++)
		n += conf->tunnels[i].addresses.n;
	fresh.own = calloc(n, sizeof(*fresh.own));
	if (!fresh.own)
		return -ENOMEM;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		for (size_t k = 0; k < conf->tunnels[i].addresses.n; k++)
			add(&fresh, &conf->tunnels[i].addresses.v[k]);
	}
	for (size_t i = 0; i < s->lan_prefix_count; i++)
		add(&fresh, &s->lan_prefixes[i]);
	rebind_fini(r);
	*r = fresh;
	return 0;
}

bool rebind_is_found(const struct rebind *r, const struct addr *a)
{
	return rebind_is_private(a) || is_in(r->own, r->own_count, a);
}

bool rebind_is_inside(const struct settings *s, const struct addr *a)
{
	return rebind_is_private(a) || is_in(s->lan_prefixes, s->lan_prefix_count, a);
}

static bool is_below(const char *name, size_t len, const char *top)
{
	size_t n = strlen(top);

	return n && len >= n && !memcmp(name + len - n, top, n) &&
	       (len == n || name[len - n - 1] == '.');
}

bool rebind_is_exempt(const struct settings *s, const char *name, size_t len)
{
	static const char *const never_public[] = { "home.arpa", "internal", "local" };

	for (size_t i = 0; i < sizeof(never_public) / sizeof(never_public[0]); i++) {
		if (is_below(name, len, never_public[i]))
			return true;
	}
	for (size_t i = 0; i < s->rebind_exceptions.n; i++) {
		if (is_below(name, len, s->rebind_exceptions.v[i]))
			return true;
	}
	return false;
}
