/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_HELLO_HOST_LEN 256
/* A hello, with its record headers, is refused above this. */
#define CLIENT_HELLO_MAX 32768

/* What a TLS client says first (RFC 8446 4.1.2, RFC 6066 3). */
struct client_hello {
	char sni[CLIENT_HELLO_HOST_LEN]; /* lower-case, no final dot; "" = none was sent */
	bool has_ech; /* an encrypted_client_hello extension (or its GREASE) is there */
};

/* Pure parser of a connection's first bytes, over as many records as it takes. 0; -EAGAIN: needs
 * more; -EPROTO: no ClientHello, or one that is malformed, too large, or has a name that is none.
 */
int client_hello_parse(const uint8_t *data, size_t len, struct client_hello *out);
