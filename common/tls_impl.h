/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two backends of tls.h have in common. Nothing else includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* A peer's handshake flight or a read of the stream fits many times. */
#define TLS_INPUT_MAX  (1024 * 1024)
#define TLS_OUTPUT_MAX (64 * 1024 * 1024)
/* Sessions and verified chains of servers, and keys of tickets, in seconds. */
#define TLS_KEPT_S	  3600
#define TLS_TICKET_LIFE_S 7200
#define TLS_DIGEST_LEN	  32
#define TLS_CHAIN_KEY_LEN (2 * TLS_DIGEST_LEN + 256 + 2)

/* The name of a client's SNI in lower case; NULL when it is none, or without memory. The caller's
 * to free. */
char *tls_sni_copy(const char *name, size_t len);
/* Is the name of a server an address? Then it is no SNI (RFC 6066 3). */
bool tls_name_is_address(const char *name);
/* When something about a certificate that ends then must be forgotten. */
time_t tls_kept_until(time_t now, time_t certificate_end);
/* The key of a verified chain: SHA-256 of the certificates as sent, and the name verified. */
void tls_chain_key(const uint8_t digest[static TLS_DIGEST_LEN], const char *name,
	char out[static TLS_CHAIN_KEY_LEN]);
