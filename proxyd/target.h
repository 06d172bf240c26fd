/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TARGET_HOST_LEN 254

/* Where a request wants to go. */
struct target {
	char host[TARGET_HOST_LEN]; /* lower-case, no final dot; IPv6 literals without brackets */
	uint16_t port;
	bool is_https;
	const char *path; /* path?query within the parsed text, "/" when there was none */
};

/*
 * Pure parsers (RFC 9112 section 3.2). 0 or -EINVAL: user info, an empty or overlong host, a byte
 * that no host has (letters, digits, - _ . only), an IPv4 address in any but the usual spelling, a
 * bad port, another scheme than http and https.
 */
/* Would a browser take the lower-case host for an IPv4 address, in whatever spelling? (WHATWG URL,
 * "ends in a number") */
bool target_is_number(const char *host);
/* authority-form of CONNECT: the port is required. path is "". */
int target_parse_authority(const char *text, struct target *out);
/* absolute-form; path points into text. */
int target_parse_url(const char *text, struct target *out);
/* A Host header: the port defaults to default_port. */
int target_parse_host(const char *text, uint16_t default_port, struct target *out);
