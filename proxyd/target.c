/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/target.h"
#include "common/addr.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

bool target_is_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot ? dot + 1 : host;

	if (last[0] == '0' && last[1] == 'x')
		return !last[2 + strspn(last + 2, "0123456789abcdef")];
	return *last && !last[strspn(last, "0123456789")];
}

/* One dot may end a name; no label may be empty, for it would be judged as another name than the
 * one that is looked up. */
static bool has_empty_label(const char *host)
{
	size_t len = strlen(host);

	return host[0] == '.' || strstr(host, "..") || host[len - 1] == '.';
}

/* An address in the one spelling that rules are written in. */
static int copy_address(char host[static TARGET_HOST_LEN])
{
	char text[ADDR_STRLEN];
	struct addr a;

	if (addr_parse(host, &a))
		return -EINVAL;
	addr_format(&a, text);
	memcpy(host, text, strlen(text) + 1);
	return 0;
}

/* Copies a host name or address literal in its normal form. */
static int copy_host(const char *text, size_t len, char out[static TARGET_HOST_LEN])
{
	bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		text++;
		len -= 2;
	}
	if (len && text[len - 1] == '.' && !bracketed)
		len--;
	if (!len || len >= TARGET_HOST_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (!isalnum(c) && c != '-' && c != '_' && c != '.' && !(bracketed && c == ':'))
			return -EINVAL;
		out[i] = (char)tolower(c);
	}
	out[len] = '\0';
	if (bracketed || target_is_number(out))
		return copy_address(out);
	return has_empty_label(out) ? -EINVAL : 0;
}

static int parse_port(const char *text, size_t len, uint16_t *out)
{
	unsigned value = 0;

	if (!len || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (!value || value > 65535)
		return -EINVAL;
	*out = (uint16_t)value;
	return 0;
}

/* host[:port] of len bytes; without a port out->port stays. */
static int parse_host_port(const char *text, size_t len, bool need_port, struct target *out)
{
	const char *end = text + len, *colon = NULL;

	for (const char *p = end; p > text && p[-1] != ']'; p--) {
		if (p[-1] == ':') {
			colon = p - 1;
			break;
		}
	}
	if (!colon && need_port)
		return -EINVAL;
	if (colon && parse_port(colon + 1, (size_t)(end - colon - 1), &out->port))
		return -EINVAL;
	return copy_host(text, (size_t)((colon ? colon : end) - text), out->host);
}

int target_parse_authority(const char *text, struct target *out)
{
	*out = (struct target){ .path = "" };
	return parse_host_port(text, strlen(text), true, out);
}

int target_parse_host(const char *text, uint16_t default_port, struct target *out)
{
	*out = (struct target){ .port = default_port, .path = "" };
	return parse_host_port(text, strlen(text), false, out);
}

int target_parse_url(const char *text, struct target *out)
{
	size_t len;

	*out = (struct target){ .port = 80, .path = "/" };
	if (!strncasecmp(text, "https://", 8)) {
		out->is_https = true;
		out->port = 443;
		text += 8;
	} else if (!strncasecmp(text, "http://", 7)) {
		text += 7;
	} else {
		return -EINVAL;
	}
	len = strcspn(text, "/?#");
	if (text[len] == '/')
		out->path = text + len;
	else if (text[len])
		return -EINVAL; /* a query without a path is not what a client sends */
	return parse_host_port(text, len, false, out);
}
