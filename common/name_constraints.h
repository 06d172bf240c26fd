/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which names an authority may sign: name constraints of X.509 (RFC 5280 4.2.1.10), which mbedtls
 * does not know. Pure; the bytes come from a peer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct der {
	const uint8_t *p;
	size_t len;
};

/* The value of an extension by the content of its OBJECT IDENTIFIER; `extensions` is a
 * certificate's SEQUENCE OF Extension. 0, -ENOENT, -EBADMSG. */
int x509_extension_find(struct der extensions, const void *oid, size_t oid_len, struct der *value);

/*
 * Does an authority whose extensions are `above` allow a certificate with the extensions `below`
 * and the `subject` (a Name)? DNS names, addresses and directory names are compared; a constraint
 * on another kind of name forbids all names of that kind. Malformed: no. No constraints: yes.
 */
bool name_constraints_allow(struct der above, struct der below, struct der subject);
