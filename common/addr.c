/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/addr.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t addr_len(const struct addr *a)
{
	return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

struct addr addr_from_bytes(int family, const void *bytes)
{
	struct addr a = { 0 };
	const uint8_t *p = bytes;
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET6 && !memcmp(p, mapped, sizeof(mapped))) {
		a.family = AF_INET;
		memcpy(a.bytes, p + 12, 4);
		return a;
	}
	if (family == AF_INET || family == AF_INET6) {
		a.family = (uint8_t)family;
		memcpy(a.bytes, p, addr_len(&a));
	}
	return a;
}

int addr_parse(const char *text, struct addr *out)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		*out = addr_from_bytes(AF_INET, bytes);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		*out = addr_from_bytes(AF_INET6, bytes);
	else
		return -EINVAL;
	return 0;
}

size_t addr_parse_list(const char *text, struct addr *out, size_t max)
{
	static const char between[] = ", ";
	char one[ADDR_STRLEN];
	size_t n = 0;

	for (text += strspn(text, between); *text; text += strspn(text, between)) {
		size_t len = strcspn(text, between);

		if (len >= sizeof(one) || n == max)
			return 0;
		snprintf(one, sizeof(one), "%.*s", (int)len, text);
		if (addr_parse(one, &out[n++]))
			return 0;
		text += len;
	}
	return n;
}

void addr_format(const struct addr *a, char out[static ADDR_STRLEN])
{
	if (!addr_len(a) || !inet_ntop(a->family, a->bytes, out, ADDR_STRLEN))
		snprintf(out, ADDR_STRLEN, "none");
}

/* A decimal number of 1 to 5 digits without a sign; -EINVAL else. */
static int parse_number(const char *text, unsigned max, unsigned *out)
{
	unsigned value = 0;
	size_t n = 0;

	for (; text[n] >= '0' && text[n] <= '9'; n++) {
		value = value * 10 + (unsigned)(text[n] - '0');
		if (n >= 5 || value > max)
			return -EINVAL;
	}
	if (!n || text[n])
		return -EINVAL;
	*out = value;
	return 0;
}

int prefix_parse(const char *text, struct prefix *out)
{
	char host[ADDR_STRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix p;
	unsigned bits;

	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (addr_parse(host, &p.addr))
		return -EINVAL;
	bits = (unsigned)addr_len(&p.addr) * 8;
	if (slash && parse_number(slash + 1, bits, &bits))
		return -EINVAL;
	p.len = (uint8_t)bits;
	*out = p;
	return 0;
}

void prefix_format(const struct prefix *p, char out[static PREFIX_STRLEN])
{
	char host[ADDR_STRLEN];

	addr_format(&p->addr, host);
	snprintf(out, PREFIX_STRLEN, "%s/%u", host, p->len);
}

int endpoint_parse(const char *text, struct endpoint *out)
{
	char host[ADDR_STRLEN];
	const char *start = text, *end, *port;
	struct endpoint e;
	unsigned number;

	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		if (!end || end[1] != ':')
			return -EINVAL;
		port = end + 2;
	} else {
		end = strrchr(text, ':');
		if (!end || memchr(text, ':', (size_t)(end - text)))
			return -EINVAL;
		port = end + 1;
	}
	if ((size_t)(end - start) >= sizeof(host))
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	if (addr_parse(host, &e.addr) || parse_number(port, 65535, &number) || !number)
		return -EINVAL;
	e.port = (uint16_t)number;
	*out = e;
	return 0;
}

void endpoint_format(const struct endpoint *e, char out[static ENDPOINT_STRLEN])
{
	char host[ADDR_STRLEN];

	addr_format(&e->addr, host);
	snprintf(out, ENDPOINT_STRLEN, e->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
		e->port);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	size_t whole = p->len / 8, rest = p->len % 8;

	if (p->addr.family != a->family || memcmp(p->addr.bytes, a->bytes, whole))
		return false;
	if (!rest)
		return true;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));
	return (p->addr.bytes[whole] & mask) == (a->bytes[whole] & mask);
}

struct prefix prefix_network(const struct prefix *p)
{
	struct prefix n = *p;
	size_t whole = p->len / 8, rest = p->len % 8, total = addr_len(&p->addr);

	if (rest && whole < total)
		n.addr.bytes[whole++] &= (uint8_t)(0xff << (8 - rest));
	for (size_t i = whole; i < total; i++)
		n.addr.bytes[i] = 0;
	return n;
}

struct addr addr_from_sockaddr(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return addr_from_bytes(
			AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr);
	if (sa->sa_family == AF_INET6)
		return addr_from_bytes(
			AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
	return (struct addr){ 0 };
}

uint16_t sockaddr_port(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
	if (sa->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
	return 0;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, a->bytes, 16);
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, a->bytes, 4);
	return sizeof(*in);
}

bool addr_is_destination(const struct addr *a)
{
	static const struct prefix never[] = {
		{ { AF_INET, { 0 } }, 8 },
		{ { AF_INET, { 127 } }, 8 },
		{ { AF_INET, { 169, 254 } }, 16 },
		{ { AF_INET, { 224 } }, 3 },
		{ { AF_INET6, { 0 } }, 96 },
		{ { AF_INET6, { 0xfe, 0x80 } }, 10 },
		{ { AF_INET6, { 0xff } }, 8 },
	};
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (prefix_contains(&never[i], a))
			return false;
	return a->family == AF_INET || a->family == AF_INET6;
}
