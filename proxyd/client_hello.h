/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_HELLO_HOST_LEN 256
#define CLIENT_HELLO_ALPN_LEN 128
/* A hello, with its record headers, is refused above this. */
#define CLIENT_HELLO_MAX 32768

/* What a TLS client says first (RFC 8446 4.1.2, RFC 6066 3, RFC 7301). */
struct client_hello {
	char sni[CLIENT_HELLO_HOST_LEN]; /* lower-case, no final dot; "" = none was sent; may
					    be an address in its usual spelling */
	/* Protocols, each followed by a comma, as many as fit whole; bytes that are no printable
	 * ASCII, commas and blanks (GREASE) as "?". */
	char alpn[CLIENT_HELLO_ALPN_LEN];
	bool has_ech; /* an encrypted_client_hello extension (or its GREASE) is there: sni is the
			 outer name then */
	size_t len;   /* bytes of its records; what follows belongs to no hello */
};

/* Pure parser of a connection's first bytes, over as many records as it takes. 0; -EAGAIN: needs
 * more; -EPROTO: no ClientHello, or one that is malformed, too large, has a name that is none, or
 * another handshake message behind it in its record. */
int client_hello_parse(const uint8_t *data, size_t len, struct client_hello *out);
/* The same of what follows a HelloRetryRequest: change_cipher_spec (RFC 8446 D.4) and early data
 * that the server will skip (4.2.10) may stand before it; len counts them. */
int client_hello_parse_second(const uint8_t *data, size_t len, struct client_hello *out);
/* The same of a handshake message that stands in no records (QUIC, RFC 9001 4). len: bytes that are
 * there; what is behind the message is left alone. */
int client_hello_parse_message(const uint8_t *data, size_t len, struct client_hello *out);
bool client_hello_offers(const struct client_hello *h, const char *protocol);
