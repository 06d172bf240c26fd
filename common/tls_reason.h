/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a TLS connection did not come about, in words for people. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Why the peer's certificate was refused. Where several apply, the first in this order is told. */
enum tls_verify {
	TLS_VERIFY_OK,
	TLS_VERIFY_SELF_SIGNED,	   /* a lone certificate signed by itself */
	TLS_VERIFY_UNTRUSTED,	   /* the chain ends in an authority that is not a configured one */
	TLS_VERIFY_INCOMPLETE,	   /* the next issuer was neither sent nor is it a configured CA */
	TLS_VERIFY_WEAK_SIGNATURE, /* SHA-1 or worse below the trusted CA */
	TLS_VERIFY_WEAK_KEY,	   /* RSA below 2048 bits, curves below 224 */
	TLS_VERIFY_EXPIRED,	   /* ... or a CA above it has */
	TLS_VERIFY_NOT_YET,	   /* valid only from a later time on */
	TLS_VERIFY_WRONG_NAME,	   /* no such alternative name; the common name does not count */
	TLS_VERIFY_CONSTRAINED, /* outside the name constraints of a CA above (RFC 5280 4.2.1.10) */
	TLS_VERIFY_USAGE,	/* not for servers, by its key usage or extended key usage */
	TLS_VERIFY_UNSUPPORTED, /* a critical extension or a kind of key that is not known here */
	TLS_VERIFY_OTHER,	/* malformed, none presented */
};

/* A constant phrase, such as "certificate has expired". */
const char *tls_verify_text(enum tls_verify v);
/* The one to tell of a set of bits `1 << reason`; TLS_VERIFY_OK for an empty set. */
enum tls_verify tls_verify_first(uint32_t reasons);

/* What both sides do not have in common. */
enum tls_gap {
	TLS_GAP_NONE,
	TLS_GAP_VERSION, /* of TLS */
	TLS_GAP_CIPHER,	 /* ... or key exchange, or signature */
	TLS_GAP_NOT_TLS, /* the peer speaks something else */
};

/* A constant phrase. `has_tls13`: the library beneath speaks TLS 1.3. */
const char *tls_gap_text(enum tls_gap gap, bool has_tls13);
/* What a fatal alert from a server says about it (RFC 8446 6.2). */
enum tls_gap tls_gap_from_alert(uint8_t alert);
