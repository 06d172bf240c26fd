/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 or IPv6 address; an IPv4-mapped IPv6 address is never stored, it becomes IPv4. */
struct addr {
	uint8_t family;	   /* AF_INET, AF_INET6, or 0 for none */
	uint8_t bytes[16]; /* network order; the first 4 for IPv4, the rest zero */
};

struct prefix {
	struct addr addr; /* as written: host bits are kept (10.9.0.1/24) */
	uint8_t len;	  /* bits, 0..32 or 0..128 */
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order */
};

#define ADDR_STRLEN	46
#define PREFIX_STRLEN	50
#define ENDPOINT_STRLEN 56

/* Strict text forms: no port, no zone, no leading or trailing blanks. -EINVAL else. */
int addr_parse(const char *text, struct addr *out);
/* Of addresses as a rule names them, separated by commas or blanks: how many, 0 when one of them is
 * none or there are more than max. */
#define ADDR_LIST_MAX 8
size_t addr_parse_list(const char *text, struct addr *out, size_t max);
void addr_format(const struct addr *a, char out[static ADDR_STRLEN]);
/* "a.b.c.d/24", "fd09::/64"; without a slash the whole address (/32, /128). */
int prefix_parse(const char *text, struct prefix *out);
void prefix_format(const struct prefix *p, char out[static PREFIX_STRLEN]);
/* "1.2.3.4:53", "[::1]:53"; the port is required, 1..65535. */
int endpoint_parse(const char *text, struct endpoint *out);
void endpoint_format(const struct endpoint *e, char out[static ENDPOINT_STRLEN]);

size_t addr_len(const struct addr *a); /* 4 or 16, 0 for none */
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_compare(const struct addr *a, const struct addr *b); /* IPv4 before IPv6 */
/* Is the address within the prefix? Never across families. */
bool prefix_contains(const struct prefix *p, const struct addr *a);
/* The prefix with its host bits cleared. */
struct prefix prefix_network(const struct prefix *p);

/* May a device be let to it by address (D9)? Not this network, loopback, link-local, multicast or
 * reserved, no IPv4 form in ::/96. */
bool addr_is_destination(const struct addr *a);

/* From a kernel or socket form; v4-mapped becomes IPv4; another family gives family 0. */
struct addr addr_from_sockaddr(const struct sockaddr *sa);
uint16_t sockaddr_port(const struct sockaddr *sa);
/* Fills ss and returns its length for bind, connect, sendto; port in host order. */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ss);
struct addr addr_from_bytes(int family, const void *bytes);
