/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_url.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies a host in lower case; false when it has a byte that no host has. */
static bool take_host(const char *host, size_t len, bool literal, char *out, size_t cap)
{
	if (!len || len >= cap)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = host[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
			    c == '_' || (literal && c == ':')))
			return false;
		out[i] = c;
	}
	out[len] = 0;
	return true;
}

/* *out is the scheme's own one before. */
static bool take_port(const char *text, size_t len, unsigned *out)
{
	unsigned port = 0;

	if (!len)
		return true;
	if (*text != ':' || len < 2 || len > 6)
		return false;
	for (size_t i = 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	*out = port;
	return port && port < 65536;
}

/* host: behind the scheme. */
static int parse_rest(const char *host, unsigned own_port, struct list_url_parts *out)
{
	const char *end, *host_end, *fragment;
	bool literal;
	int n;

	out->port = own_port;
	end = host + strcspn(host, "/?#");
	literal = *host == '[';
	if (literal) {
		host_end = memchr(host, ']', (size_t)(end - host));
		if (!host_end || !take_host(host + 1, (size_t)(host_end - host - 1), true,
					 out->host, sizeof(out->host)))
			return -EINVAL;
		host_end++;
	} else {
		host_end = memchr(host, ':', (size_t)(end - host));
		if (!host_end)
			host_end = end;
		if (!take_host(
			    host, (size_t)(host_end - host), false, out->host, sizeof(out->host)))
			return -EINVAL;
	}
	if (!take_port(host_end, (size_t)(end - host_end), &out->port))
		return -EINVAL;
	snprintf(out->authority, sizeof(out->authority),
		out->port == own_port ? "%s%s%s" : "%s%s%s:%u", literal ? "[" : "", out->host,
		literal ? "]" : "", out->port);
	fragment = end + strcspn(end, "#");
	n = snprintf(out->target, sizeof(out->target), "%s%.*s", *end == '/' ? "" : "/",
		(int)(fragment - end), end);
	if (n < 0 || (size_t)n >= sizeof(out->target))
		return -EINVAL;
	for (const char *p = out->target; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 127)
			return -EINVAL;
	}
	return 0;
}

int list_url_parse(const char *url, struct list_url_parts *out)
{
	return strncasecmp(url, "https://", 8) ? -EINVAL : parse_rest(url + 8, 443, out);
}

int list_url_parse_any(const char *url, struct list_url_parts *out, bool *is_tls)
{
	*is_tls = strncasecmp(url, "http://", 7) != 0;
	return *is_tls ? list_url_parse(url, out) : parse_rest(url + 7, 80, out);
}

static bool is_in(const struct addr *a, const char *text)
{
	struct prefix p;

	return !prefix_parse(text, &p) && prefix_contains(&p, a);
}

bool list_url_is_allowed(const struct addr *a, bool allow_private)
{
	static const char *const never[] = { "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128",
		"fe80::/10", "fec0::/10", "ff00::/8" };
	static const char *const private[] = { "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
		"172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7" };
	/* An IPv4 address in another guise: the address within counts. */
	static const char *const nat64[] = { "64:ff9b::/96", "64:ff9b:1::/48" };

	if (is_in(a, nat64[1]) || is_in(a, "::/96"))
		return a->bytes[15] == 1 && is_in(a, "::1/128") && allow_private;
	if (is_in(a, nat64[0])) {
		struct addr inner = addr_from_bytes(AF_INET, a->bytes + 12);

		return list_url_is_allowed(&inner, allow_private);
	}
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		if (is_in(a, never[i]))
			return false;
	}
	for (size_t i = 0; !allow_private && i < sizeof(private) / sizeof(*private); i++) {
		if (is_in(a, private[i]))
			return false;
	}
	return a->family != 0;
}
